"""Records of `revocations`: all that a resource server has to know, and nothing more."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AwareDatetime, Field

from revocast_contracts.envelope import Data
from revocast_contracts.open_words import OpenWhenRead
from revocast_contracts.selectors import Selector


class EntryState(StrEnum):
    """`pending` kills whatever the `iat`; `applied` has a `not_before` where one applies."""

    PENDING = "pending"
    APPLIED = "applied"


class EntryCause(StrEnum):
    """Why the selector is dead, as far as a resource server needs to know."""

    REUSE = "reuse"
    REVOKED = "revoked"
    LOGOUT = "logout"
    KILL = "kill"
    CLIENT_DISABLED = "client_disabled"
    ANOMALY = "anomaly"
    KEY_COMPROMISED = "key_compromised"


class RevocationEntry(Data):
    """One selector that is dead. The record's key is selector, entry id and state.

    An entry changes only from pending to applied, and readers keep the maximum per selector. A
    publisher that was paused may send its pending record after the applied one: under a key of its
    own it can't take the applied one's place in compaction.
    """

    event_type: ClassVar[str] = "revocast.revocation.entry.v1"

    entry_id: str
    selector: Selector
    state: EntryState
    not_before: AwareDatetime | None = Field(
        default=None,
        description="Tokens with iat <= floor(not_before) are dead; absent: whatever the iat.",
    )
    expires_at: AwareDatetime = Field(description="When the entry may be forgotten.")
    # A cause is only told, so an old guard may read a new one; an unknown state or kind of selector
    # must stay undecodable: whoever ignored it would miss a revocation.
    cause: Annotated[EntryCause, OpenWhenRead()]


class RevocationWatermark(Data):
    """How far each source has been delivered: everything it committed before then is above this."""

    event_type: ClassVar[str] = "revocast.revocation.watermark.v1"

    sources: dict[str, AwareDatetime]
