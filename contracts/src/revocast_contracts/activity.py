"""Events of `issuer-activity`: people, clients and keys, said by the issuer."""

from typing import ClassVar

from pydantic import AwareDatetime, Field

from revocast_contracts.envelope import Data
from revocast_contracts.lifecycle import Network


class LoginSucceeded(Data):
    """Somebody signed in."""

    event_type: ClassVar[str] = "revocast.login.succeeded.v1"

    sub: str
    session: str
    client_id: str | None = None
    acr: str
    origin: Network | None = None


class LoginFailed(Data):
    """A sign-in was refused; the name is a keyed hash, since people type passwords into it."""

    event_type: ClassVar[str] = "revocast.login.failed.v1"

    username_hash: str
    client_id: str | None = None
    reason: str = Field(description="`credentials` or `limited`.")
    origin: Network | None = None


class ConsentGranted(Data):
    """Somebody allowed a client some scopes."""

    event_type: ClassVar[str] = "revocast.consent.granted.v1"

    sub: str
    client_id: str
    scope: str
    session: str | None = None


class ConsentWithdrawn(Data):
    """Somebody took a client's permission back; its families ended with it."""

    event_type: ClassVar[str] = "revocast.consent.withdrawn.v1"

    sub: str
    client_id: str
    families_ended: int


class ClientRegistered(Data):
    """A client was made."""

    event_type: ClassVar[str] = "revocast.client.registered.v1"

    client_id: str
    confidential: bool
    grants: tuple[str, ...]
    redirect_uris: tuple[str, ...]
    scope: str
    actor: str


class ClientChanged(Data):
    """A client's registration was changed."""

    event_type: ClassVar[str] = "revocast.client.changed.v1"

    client_id: str
    changed: tuple[str, ...] = Field(description="The names of the members that changed.")
    actor: str


class AccountCreated(Data):
    """An account was made; the name is a keyed hash."""

    event_type: ClassVar[str] = "revocast.account.created.v1"

    sub: str
    username_hash: str
    scope: str
    actor: str


class AccountDisabled(Data):
    """An account was switched off."""

    event_type: ClassVar[str] = "revocast.account.disabled.v1"

    sub: str
    actor: str


class AccountPasswordSet(Data):
    """An account got another password."""

    event_type: ClassVar[str] = "revocast.account.password_set.v1"

    sub: str
    actor: str


class SessionEnded(Data):
    """Somebody signed out; the session's families ended with it."""

    event_type: ClassVar[str] = "revocast.session.ended.v1"

    sub: str
    session: str
    families_ended: int


class SigningKeyAdded(Data):
    """A signing key was made and published; it signs from `signs_from` on."""

    event_type: ClassVar[str] = "revocast.signing_key.added.v1"

    kid: str
    alg: str
    signs_from: AwareDatetime
    actor: str


class SigningKeyRetired(Data):
    """A signing key stopped signing; it stays published until every token it signed is dead."""

    event_type: ClassVar[str] = "revocast.signing_key.retired.v1"

    kid: str
    alg: str
    actor: str


class GuessCounted(Data):
    """Refused guesses of one kind at one client, summed over a minute."""

    event_type: ClassVar[str] = "revocast.guess.counted.v1"

    client_id: str
    kind: str = Field(description="`refresh_token`, `client_secret` or `code`.")
    count: int
    minute: AwareDatetime
