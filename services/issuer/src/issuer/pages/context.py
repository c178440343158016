"""What every page works with; made once by `router(...)`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import Request

from issuer.domain.authorization import SignedIn
from issuer.domain.client import Client
from issuer.domain.id_token_hint import IdTokenHint
from issuer.pages.sealing import Sealer
from issuer.pages.visit import Cookies, Visit
from issuer.store import clients, sessions
from issuer.usecases.people import People
from servicekit.postgres import transaction

VerifyIdTokenHint = Callable[[str], Awaitable[IdTokenHint | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """The use cases' tools, the issuer's URL, the sealer, the cookies, and how to judge a hint."""

    people: People
    issuer: str
    sealer: Sealer
    cookies: Cookies
    verify_id_token_hint: VerifyIdTokenHint
    trusted_proxies: int

    def visit(self, request: Request) -> Visit:
        """Who sent a request."""
        return Visit.of(
            request,
            self.cookies,
            hash_key=self.people.hash_key,
            trusted_proxies=self.trusted_proxies,
        )

    async def client(self, client_id: str | None) -> Client | None:
        """The client of an id, switched off or not."""
        if client_id is None or len(client_id) > 256:
            return None
        async with self.people.pool.acquire() as connection:
            return await clients.find(connection, client_id)

    async def signed_in(self, visit: Visit) -> SignedIn | None:
        """Who is signed in at a browser."""
        if visit.session_cookie is None:
            return None
        async with transaction(self.people.pool) as connection:
            return await sessions.hold(connection, visit.session_cookie)
