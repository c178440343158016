"""How kills and entries look over HTTP."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from revocast_contracts.lifetimes import ENTRY_LIFETIME
from revocast_contracts.revocations import EntryState, RevocationEntry
from revocast_contracts.selectors import Selector
from revocation.store.kills import Kill


class View(BaseModel):
    """One revocation: a kill with its reason, or an entry that a fact has made.

    A kill's subject stands as it was asked for, an entry's as its keyed hash.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    selector: Selector
    state: EntryState
    cause: str
    expires_at: datetime | None = None
    not_before: datetime | None = None
    decided_at: datetime | None = None
    applied_at: datetime | None = None
    actor: str | None = None
    reason: str | None = None

    def members(self) -> dict[str, Any]:
        """The JSON members; what does not apply is left out."""
        return self.model_dump(mode="json", exclude_none=True)


def kill_view(kill: Kill) -> View:
    """A kill; it has an expiry once it is applied."""
    applied = kill.applied_at
    return View(
        id=kill.id,
        selector=kill.selector,
        state=EntryState.PENDING if applied is None else EntryState.APPLIED,
        cause=kill.cause,
        expires_at=None if applied is None else applied + ENTRY_LIFETIME,
        decided_at=kill.decided_at,
        applied_at=applied,
        actor=kill.actor,
        reason=kill.reason,
    )


def entry_view(entry: RevocationEntry) -> View:
    """An entry as it stands on the revocations topic."""
    return View(
        id=entry.entry_id,
        selector=entry.selector,
        state=entry.state,
        cause=entry.cause.value,
        expires_at=entry.expires_at,
        not_before=entry.not_before,
    )
