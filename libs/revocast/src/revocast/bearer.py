"""Bearer tokens over HTTP: read from the Authorization header only, refused as RFC 6750 says."""

import re
from collections.abc import Collection, Iterable

from revocast.errors import InsufficientScope, InvalidRequest, NoToken, TokenRefused, Unavailable

_BEARER = re.compile(rb"bearer +([A-Za-z0-9\-._~+/]+=*) *", re.IGNORECASE)


def token_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The bearer token of a request's raw headers (RFC 6750 section 2.1).

    Raises:
        NoToken: no Authorization header, or another scheme.
        InvalidRequest: several Authorization headers, or no token after the scheme.
    """
    values = [value for name, value in headers if name.lower() == b"authorization"]
    if len(values) > 1:
        raise InvalidRequest("several Authorization headers")
    if not values or values[0].split(b" ", 1)[0].lower() != b"bearer":
        raise NoToken("no bearer token")
    match = _BEARER.fullmatch(values[0])
    if match is None:
        raise InvalidRequest("no token after the scheme")
    return match[1].decode("ascii")


def response_headers(
    refused: TokenRefused, *, realm: str, scopes: Collection[str] = ()
) -> dict[str, str]:
    """`WWW-Authenticate` (RFC 6750 section 3), or `Retry-After` where waiting may help."""
    if isinstance(refused, Unavailable):
        return {"Retry-After": str(refused.retry_after)}
    members = {"realm": realm}
    if refused.error is not None:
        members |= {"error": refused.error, "error_description": refused.description}
    required = refused.scopes if isinstance(refused, InsufficientScope) else scopes
    if required:
        members["scope"] = " ".join(sorted(required))
    quoted = ", ".join(f'{name}="{_escaped(value)}"' for name, value in members.items())
    return {"WWW-Authenticate": f"Bearer {quoted}"}


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
