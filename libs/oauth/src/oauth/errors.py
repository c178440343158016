"""One class for each OAuth error code: a public description, and a detail for the log only.

OAuthError
├── InvalidRequest, InvalidClient, InvalidGrant, UnauthorizedClient, UnsupportedGrantType,
│   InvalidScope                                    RFC 6749 section 5.2
├── AccessDenied, UnsupportedResponseType, ServerError, TemporarilyUnavailable
│                                                   RFC 6749 section 4.1.2.1
├── LoginRequired, ConsentRequired, RequestNotSupported, RequestUriNotSupported
│                                                   OpenID Connect Core 3.1.2.6
├── InvalidTarget                                   RFC 8707 section 2
├── UnsupportedTokenType                            RFC 7009 section 2.2.1
└── TooManyRequests                                 RFC 6585 section 4
"""

from typing import ClassVar


class OAuthError(Exception):
    """A refusal in the words of the RFCs. `detail` never reaches the client."""

    code: ClassVar[str] = "server_error"
    status: ClassVar[int] = 400
    description: ClassVar[str] = "The request was refused."

    def __init__(self, detail: str = "", *, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail or self.description)
        self.detail = detail
        self.headers = headers or {}


class InvalidRequest(OAuthError):
    """A parameter is missing, repeated, malformed, or unknown where it may not be.

    `why` is public: it names the parameter or the rule, never what was sent.
    """

    code = "invalid_request"
    description = "A parameter is missing, repeated or malformed."

    def __init__(self, detail: str = "", *, why: str | None = None) -> None:
        super().__init__(detail or why or "")
        self.why = why


class InvalidClient(OAuthError):
    """Client authentication failed. Basic is always offered: a 401 has to (RFC 9110 15.5.2)."""

    code = "invalid_client"
    status = 401
    description = "Client authentication failed."

    def __init__(self, detail: str = "", *, realm: str = "revocast") -> None:
        super().__init__(detail, headers={"WWW-Authenticate": f'Basic realm="{realm}"'})


class InvalidGrant(OAuthError):
    """The code or refresh token is spent, expired, revoked, or somebody else's."""

    code = "invalid_grant"
    description = "The grant is invalid, expired, revoked, or was issued to another client."


class UnauthorizedClient(OAuthError):
    """This client may not use this grant."""

    code = "unauthorized_client"
    description = "This client may not use this grant type."


class UnsupportedGrantType(OAuthError):
    """The server knows no such grant."""

    code = "unsupported_grant_type"
    description = "The grant type is not supported."


class InvalidScope(OAuthError):
    """The scope is malformed, unknown, or more than may be granted."""

    code = "invalid_scope"
    description = "The scope is malformed, unknown, or exceeds what can be granted."


class AccessDenied(OAuthError):
    """The person said no."""

    code = "access_denied"
    status = 403
    description = "The request was denied."


class UnsupportedResponseType(OAuthError):
    """Only `code` is supported."""

    code = "unsupported_response_type"
    description = "The response type is not supported; use code."


class LoginRequired(OAuthError):
    """`prompt=none`, and nobody is signed in."""

    code = "login_required"
    description = "Somebody has to sign in."


class ConsentRequired(OAuthError):
    """`prompt=none`, and the client was not allowed this yet."""

    code = "consent_required"
    description = "Consent has to be given."


class RequestNotSupported(OAuthError):
    """Request objects are not supported."""

    code = "request_not_supported"
    description = "The request parameter is not supported."


class RequestUriNotSupported(OAuthError):
    """Request objects by reference are not supported."""

    code = "request_uri_not_supported"
    description = "The request_uri parameter is not supported."


class InvalidTarget(OAuthError):
    """The resource is malformed, unknown, or not for this client."""

    code = "invalid_target"
    description = "The resource is malformed, unknown, or not available to this client."


class UnsupportedTokenType(OAuthError):
    """The server can't revoke tokens of this type."""

    code = "unsupported_token_type"
    description = "Tokens of this type can't be revoked."


class TooManyRequests(OAuthError):
    """Slow down. RFC 6585 names the status; the code is ours, since no RFC gives one."""

    code = "temporarily_unavailable"
    status = 429
    description = "Too many requests; try again later."

    def __init__(self, detail: str = "", *, retry_after: int) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class TemporarilyUnavailable(OAuthError):
    """Nothing was decided; the same request may succeed soon."""

    code = "temporarily_unavailable"
    status = 503
    description = "The server can't decide this now; try again."

    def __init__(self, detail: str = "", *, retry_after: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class ServerError(OAuthError):
    """Something broke; the log knows what."""

    code = "server_error"
    status = 500
    description = "The server met an unexpected condition."
