"""What was authorized: the account, the sign-in, the request behind a code."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Somebody who can sign in. `subject` is random and says nothing about the person."""

    subject: UUID
    username: str
    password_hash: str
    name: str
    email: str | None
    scopes: frozenset[str]
    disabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One sign-in at one browser. `session_id` is the `sid` of its tokens, not its cookie."""

    session_id: UUID
    subject: UUID
    auth_time: datetime
    acr: str


PERSONAL_SCOPES = frozenset({"openid", "profile", "email"})
"""What every account may allow without being given it: these open nothing but its own data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """Somebody at a browser: the sign-in and the account it belongs to."""

    session: Session
    account: Account

    def may_allow(self, scope: frozenset[str]) -> frozenset[str]:
        """What of these scopes this person can pass on to a client."""
        return scope & (self.account.scopes | PERSONAL_SCOPES)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """A validated request to /authorize (RFC 6749 section 4.1.1, OIDC Core 3.1.2.1).

    `hinted_subject` is whom an `id_token_hint` names: nobody else may answer the request.
    """

    client_id: str
    redirect_uri: str
    redirect_uri_given: bool
    scope: frozenset[str]
    resource: str
    state: str | None
    nonce: str | None
    code_challenge: str | None
    prompt: frozenset[str]
    max_age: int | None
    login_hint: str | None
    hinted_subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a request came from, already hashed: `Network` of the contracts in plain values."""

    ip_hash: str | None = None
    network: str | None = None
    user_agent_hash: str | None = None
