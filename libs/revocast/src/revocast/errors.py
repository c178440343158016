"""Why a request was refused: one class per answer of RFC 6750 section 3.1, and one for 503.

TokenRefused
|- NoToken            401, no error code
|- InvalidRequest     400 invalid_request
|- InvalidToken       401 invalid_token
|- InsufficientScope  403 insufficient_scope
`- Unavailable        503 with Retry-After
"""

from collections.abc import Collection
from typing import ClassVar


class TokenRefused(Exception):
    """A request without a usable token. `detail` is for logs; the class constants are public.

    `detail` never contains the token or a part of it.
    """

    status: ClassVar[int]
    error: ClassVar[str | None]
    description: ClassVar[str]

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NoToken(TokenRefused):
    """No bearer token was sent: the challenge carries no error code (RFC 6750 section 3.1)."""

    status = 401
    error = None
    description = "A bearer token is required."


class InvalidRequest(TokenRefused):
    """The Authorization header is malformed or came twice."""

    status = 400
    error = "invalid_request"
    description = "The Authorization header is malformed."


class InvalidToken(TokenRefused):
    """The token is malformed, forged, expired, revoked or not for this resource server."""

    status = 401
    error = "invalid_token"
    description = "The access token is malformed, expired, revoked or not for this API."


class RevokedToken(InvalidToken):
    """An entry denies the token. To the caller it looks like any other invalid token."""


class InsufficientScope(TokenRefused):
    """The token is good, but does not carry every required scope."""

    status = 403
    error = "insufficient_scope"
    description = "The access token lacks a required scope."

    def __init__(self, detail: str, *, scopes: Collection[str]) -> None:
        super().__init__(detail)
        self.scopes = tuple(sorted(scopes))


class Unavailable(TokenRefused):
    """The guard cannot know whether the token is still good. `retry_after` is in seconds."""

    status = 503
    error = None
    description = "Tokens cannot be checked at the moment."

    def __init__(self, detail: str, *, retry_after: int = 2) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
