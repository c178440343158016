"""What the records of a family, and of kills around it, say of its state and end."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from audit.domain.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """A decision to cut a selector off, and when the issuer applied it.

    What was decided, by whom and why, is None where that record is not here (yet, or any more).
    """

    kill_id: str
    selector: str
    applied_at: datetime
    cause: str | None = None
    actor: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """One way in which the family may have ended. `records` are the indexes that say so.

    `expired`: nobody ended it; its time ran out.
    """

    cause: str
    at: datetime
    records: tuple[int, ...]
    kill: Kill | None = None
    expired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyStory:
    """A family, and one page of its records in order; `next_after` where there are more."""

    family: str
    client: str | None
    subject: str | None
    session: str | None
    started_at: datetime
    generation: int | None
    ending: Ending | None
    records: tuple[Record, ...]
    next_after: int | None


def ending_of(
    *,
    started_at: datetime,
    last_minted_at: datetime | None,
    told: Iterable[Ending],
    cuts: Iterable[Ending],
    denied: Ending | None,
    expiries: Iterable[Ending],
    now: datetime,
) -> Ending | None:
    """The first ending that holds; None for a family that lives.

    `told` are endings of this very family, and nothing un-ends. `cuts` hit whatever began before
    them; one that the issuer minted after was taken back (a client that was enabled again).
    `denied` is the last refusal: it proves an end whose own record is not here. `expiries` are when
    its time runs out unless it is refreshed again; they hold once it is `now`.
    """
    reached = [cut for cut in cuts if cut.at >= max(started_at, last_minted_at or started_at)]
    holds = denied and denied.at >= (last_minted_at or started_at)
    passed = [expiry for expiry in expiries if expiry.at <= now]
    return min([*told, *reached, *passed], key=_moment, default=denied if holds else None)


def _moment(ending: Ending) -> datetime:
    return ending.at
