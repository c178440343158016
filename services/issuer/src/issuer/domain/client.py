"""A registered client (RFC 6749 section 2) and what it may do."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from issuer.domain.authorization import PERSONAL_SCOPES


class GrantType(StrEnum):
    """The values of `grant_type` that the token endpoint knows."""

    AUTHORIZATION_CODE = "authorization_code"
    CLIENT_CREDENTIALS = "client_credentials"
    REFRESH_TOKEN = "refresh_token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One client, as its row says.

    `secret_sha256` is None for a public client. `scopes` are all it may be granted; `resources`
    are the base URLs of the APIs its tokens may name as `aud`, `resource_scopes` what each knows.
    `introspects` names the clients whose tokens it may introspect; its own it always may.
    """

    client_id: str
    name: str
    secret_sha256: bytes | None
    grants: frozenset[GrantType]
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...]
    scopes: frozenset[str]
    resources: tuple[str, ...]
    introspects: frozenset[str]
    native: bool
    pkce_required: bool
    consent_required: bool
    grace: timedelta
    access_token_lifetime: timedelta
    refresh_idle_lifetime: timedelta
    refresh_absolute_lifetime: timedelta
    disabled: bool
    resource_scopes: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def default_resource(self, scope: frozenset[str], *, otherwise: str) -> str:
        """The API of a request that names none: the first that knows one of the scopes."""
        for uri in self.resources:
            if scope & self.resource_scopes.get(uri, frozenset()):
                return uri
        return next(iter(self.resources), otherwise)

    def meaningful(self, scope: frozenset[str], *, resource: str) -> frozenset[str]:
        """What of these scopes a token for this API may have (RFC 9068 section 2.2.3).

        Each API takes tokens that open the person's own data at /userinfo as well. One that has
        registered no scopes may know any.
        """
        known = self.resource_scopes.get(resource)
        return scope & (known | PERSONAL_SCOPES) if known else scope

    @property
    def confidential(self) -> bool:
        """Whether it can keep a secret (RFC 6749 section 2.1)."""
        return self.secret_sha256 is not None

    def secret_matches(self, secret: str) -> bool:
        """Compare a presented secret in constant time; a public client has none to match."""
        presented = hashlib.sha256(secret.encode()).digest()
        expected = self.secret_sha256 if self.secret_sha256 is not None else bytes(32)
        return hmac.compare_digest(presented, expected) and self.confidential


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """An API that tokens are made for: its base URL is the `aud`.

    `profile` `rfc9068` gives `typ: at+jwt` with `alg`; `jwt` gives `typ: JWT` and RS256, for
    decoders that know nothing else.
    """

    uri: str
    profile: str
    alg: str
    scopes: frozenset[str]
