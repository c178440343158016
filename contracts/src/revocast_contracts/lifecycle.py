"""Events of `token-lifecycle`: what happened to tokens and families, said by the issuer."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, Field

from revocast_contracts.envelope import Data
from revocast_contracts.open_words import OpenWhenRead
from revocast_contracts.selectors import Selector


class Grant(StrEnum):
    """The grant that a token came from (RFC 6749 section 1.3)."""

    AUTHORIZATION_CODE = "authorization_code"
    CLIENT_CREDENTIALS = "client_credentials"


class EndCause(StrEnum):
    """Why the issuer ended a family."""

    REUSE = "reuse"
    REVOKE_ENDPOINT = "revoke_endpoint"
    LOGOUT = "logout"
    CODE_REPLAY = "code_replay"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    TOO_MANY = "too_many"
    KILL = "kill"


class StaleClass(StrEnum):
    """How stale a refresh token was: the predecessor after grace, or anything older."""

    LATE_PREDECESSOR = "late_predecessor"
    OLDER_GENERATION = "older_generation"


class Network(Data):
    """Where a request came from: keyed hashes of address and user agent, and the coarse network."""

    event_type: ClassVar[str] = ""

    ip_hash: str | None = None
    network: str | None = Field(
        default=None, description="The /24 of an IPv4 address, the /48 of an IPv6 address."
    )
    user_agent_hash: str | None = None


class TokenIssued(Data):
    """A family was started by a code, or a token was issued to a client for itself."""

    event_type: ClassVar[str] = "revocast.token.issued.v1"

    grant: Annotated[Grant, OpenWhenRead()]
    family: str | None = Field(default=None, description="Absent for client credentials.")
    session: str | None = None
    sub: str
    client_id: str
    scope: str
    aud: tuple[str, ...]
    jti_hash: str
    exp: AwareDatetime = Field(description="When the access token expires.")
    refreshable: bool = Field(description="Whether a refresh token came with it.")
    idle_expires_at: AwareDatetime | None = Field(
        default=None, description="When the family expires unless it is refreshed before."
    )
    absolute_expires_at: AwareDatetime | None = Field(
        default=None, description="When the family expires however often it is refreshed."
    )
    origin: Network | None = None


class TokenRotated(Data):
    """A refresh token was exchanged for its successor; carries the new access token's hash."""

    event_type: ClassVar[str] = "revocast.token.rotated.v1"

    family: str
    session: str | None = None
    sub: str
    client_id: str
    generation: int = Field(description="The generation that is current now.")
    jti_hash: str
    exp: AwareDatetime
    idle_expires_at: AwareDatetime | None = Field(
        default=None, description="When the family expires unless it is refreshed before."
    )
    origin: Network | None = None


class TokenReplayed(Data):
    """The direct predecessor came again within grace and got the same successor."""

    event_type: ClassVar[str] = "revocast.token.replayed.v1"

    family: str
    session: str | None = None
    sub: str
    client_id: str
    generation: int = Field(description="The generation that is current, given out again.")
    replay: int = Field(description="How many times this generation was given out again.")
    age_ms: int = Field(description="Milliseconds since the rotation.")
    jti_hash: str
    exp: AwareDatetime
    idle_expires_at: AwareDatetime | None = Field(
        default=None, description="When the family expires unless it is refreshed before."
    )
    origin: Network | None = None


class TokenPresentedStale(Data):
    """A spent refresh token came outside grace; the issuer ended the family in that transaction."""

    event_type: ClassVar[str] = "revocast.token.presented_stale.v1"

    family: str
    session: str | None = None
    sub: str
    client_id: str
    presented_generation: int
    current_generation: int
    stale_class: Annotated[StaleClass, OpenWhenRead()]
    age_ms: int = Field(description="Milliseconds since the last rotation.")
    ended_at: AwareDatetime
    origin: Network | None = None


class DenyReason(StrEnum):
    """Why a well-formed refresh token was refused without an effect."""

    ENDED = "ended"
    IDLE_EXPIRED = "idle_expired"
    ABSOLUTE_EXPIRED = "absolute_expired"
    CUT = "cut"
    FUTURE_GENERATION = "future_generation"


class TokenDenied(Data):
    """A refresh token of a dead family was refused; one event a minute and family, with a count."""

    event_type: ClassVar[str] = "revocast.token.denied.v1"

    family: str
    client_id: str
    sub: str
    presented_generation: int
    current_generation: int
    reason: Annotated[DenyReason, OpenWhenRead()]
    count: int = Field(description="Refusals since the last such event, this one included.")
    origin: Network | None = None


class TokenRevoked(Data):
    """One access token was revoked by the client it was issued to (RFC 7009)."""

    event_type: ClassVar[str] = "revocast.token.revoked.v1"

    jti_hash: str
    family: str | None = None
    session: str | None = None
    sub: str
    client_id: str
    exp: AwareDatetime
    revoked_at: AwareDatetime


class FamilyEnded(Data):
    """A family was ended for a cause other than reuse."""

    event_type: ClassVar[str] = "revocast.family.ended.v1"

    family: str
    session: str | None = None
    sub: str
    client_id: str
    generation: int
    cause: Annotated[EndCause, OpenWhenRead()]
    ended_at: AwareDatetime
    origin: Network | None = None


class ClientDisabled(Data):
    """A client was switched off: nothing is issued to it, and everything it holds is dead."""

    event_type: ClassVar[str] = "revocast.client.disabled.v1"

    client_id: str
    disabled_at: AwareDatetime
    actor: str


class KillApplied(Data):
    """The issuer cut off everything of a selector; no older token of it can be minted any more."""

    event_type: ClassVar[str] = "revocast.kill.applied.v1"

    kill_id: str
    selector: Selector = Field(description="As on the revocations topic.")
    applied_at: AwareDatetime


class WatermarkPassed(Data):
    """Everything this shard's source committed before `complete_through` stands before this."""

    event_type: ClassVar[str] = "revocast.watermark.passed.v1"

    source: str
    complete_through: AwareDatetime
    kind: Literal["watermark"] = "watermark"
