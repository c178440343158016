"""What every endpoint works with; made once by `app.py`."""

from dataclasses import dataclass, field
from datetime import timedelta

from fastapi import Request

from issuer.domain.authorization import Origin
from issuer.domain.origin import client_address, origin
from issuer.signing.tokens import Tokens
from issuer.store.families import Families
from issuer.usecases.guesses import Guesses
from issuer.usecases.keyring import Keyring
from issuer.usecases.known_clients import KnownClients
from revocast import Feed
from servicekit.pulse import Pulse


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """`access_token_alg` is the algorithm of tokens for an API that says no other."""

    issuer: str
    families: Families
    tokens: Tokens
    keyring: Keyring
    clients: KnownClients
    guesses: Guesses
    feed: Feed
    max_staleness: timedelta
    access_token_alg: str
    trusted_proxies: int
    pulse: Pulse = field(default_factory=Pulse)

    def origin(self, request: Request) -> Origin:
        """Where a request came from, hashed."""
        address = client_address(
            request.client.host if request.client else None,
            request.headers.get("x-forwarded-for"),
            trusted_proxies=self.trusted_proxies,
        )
        return origin(address, request.headers.get("user-agent"), self.families.hash_key)
