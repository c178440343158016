"""What a verified access token says (RFC 9068 section 2.2); only a guard makes one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """The claims of a token that passed. Names are the RFCs'; times are seconds since 1970.

    `family`, `sid`, `auth_time` and `acr` are None for a client that acts for itself; then `sub`
    is its client id. `members` holds every claim as it stood in the token.
    """

    iss: str
    sub: str
    aud: tuple[str, ...]
    client_id: str
    scopes: frozenset[str]
    jti: str
    iat: int
    exp: int
    kid: str
    sid: str | None = None
    family: str | None = None
    subject_hash: str | None = None
    auth_time: int | None = None
    acr: str | None = None
    members: Mapping[str, Any] = field(default_factory=dict, repr=False, hash=False)
