"""A record: one event as it came, its place in the log, and the columns it is found by."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

LONGEST_TEXT = 512
"""Characters of an extracted column: contracts stay far below, and an index takes 2,700 bytes."""

_EARLIEST = datetime.min.replace(tzinfo=UTC)
_LATEST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecord:
    """An event that is to be recorded. `event` holds the record's bytes; the rest is extracted.

    `selector` names what the event ends beside its own family, as `kind:value`. `dated` says
    whether the event, sent again, has the same time: only dead letters have not.
    """

    event_id: UUID
    time: datetime
    type: str
    topic: str
    partition: int
    epoch: int
    seq: int
    family: str | None
    session: str | None
    subject: str | None
    client: str | None
    correlation_id: str
    selector: str | None
    event: bytes
    dated: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(NewRecord):
    """An event that was recorded: `index` is dense from 0, `recorded_at` the database's time."""

    index: int
    recorded_at: datetime


def storable(text: str) -> str:
    """Text as a column can hold it. Hostile text is kept inert; the event's bytes stay exact."""
    if len(text) > LONGEST_TEXT:
        text = text[: LONGEST_TEXT - 1] + "…"
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in text else text


def in_utc(time: datetime) -> datetime:
    """A time in UTC; one that is out of range there becomes the nearest that is in it."""
    try:
        return time.astimezone(UTC)
    except OverflowError:
        return _EARLIEST if time.year == 1 else _LATEST
