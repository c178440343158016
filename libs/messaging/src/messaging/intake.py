"""Records of a batch -> events that were not handled before, and the positions after them."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aiokafka import ConsumerRecord

from messaging.positions import Place, Position
from revocast_contracts import codec
from revocast_contracts.envelope import Event
from revocast_contracts.lifecycle import WatermarkPassed
from revocast_contracts.revocations import RevocationWatermark
from revocast_contracts.topics import DEAD_LETTER


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """An event and the record it came in; `raw` are the record's exact bytes."""

    event: Event
    topic: str
    partition: int
    offset: int
    raw: bytes


@dataclass(slots=True)
class Taken:
    """What a batch comes to, given the positions that are held.

    `holes` are partitions where events are missing, and the place before which they are: whatever
    comes after a hole was not taken. `missed` counts, by topic, what was missing for good, `read`
    the records that were new.
    """

    received: list[Received] = field(default_factory=list)
    unreadable: list[tuple[ConsumerRecord, str]] = field(default_factory=list)
    positions: dict[Place, Position] = field(default_factory=dict)
    holes: dict[Place, tuple[int, int]] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    read: int = 0


class Intake:
    """Knows with which record each partition has to begin, and which holes can't be filled.

    A partition that starts over is read from its beginning: offsets mean nothing there until the
    position has been saved again, places (epoch, seq) do.
    """

    def __init__(self) -> None:
        self._expected: dict[Place, Position] = {}
        self._starting_over: set[Place] = set()
        self._unfillable: dict[Place, tuple[int, int]] = {}

    def expect(self, place: Place, position: Position) -> None:
        """Reading goes on at the record before a position: it has to be the same record still."""
        self._expected.pop(place, None)
        self._starting_over.discard(place)
        self._unfillable.pop(place, None)
        if position.next_offset > 0:
            self._expected[place] = position

    def is_same_log(self, place: Place, records: Sequence[ConsumerRecord]) -> bool:
        """Whether the first record is the expected one. A topic made anew has another one there."""
        expected = self._expected.pop(place, None)
        if expected is None:
            return True
        first = records[0]
        same = bool(first.offset == expected.next_offset - 1)
        return same and _sha256(first) == expected.record_sha256

    def start_over(self, place: Place, hole: tuple[int, int] | None = None) -> None:
        """The partition is read from its beginning; a hole that is still there then is accepted."""
        self._expected.pop(place, None)
        self._starting_over.add(place)
        if hole is not None:
            self._unfillable[place] = hole

    def saved(self, places: Mapping[Place, Position]) -> None:
        """Positions were saved: offsets mean something again."""
        self._starting_over.difference_update(places)

    def take(
        self, batches: Mapping[Place, Sequence[ConsumerRecord]], held: Mapping[Place, Position]
    ) -> Taken:
        """Sort the records of a batch out."""
        taken = Taken()
        for place, records in batches.items():
            position = held[place]
            for record in records:
                if record.offset < position.next_offset and place not in self._starting_over:
                    taken.dropped[record.topic] += 1
                    continue
                moved = self._take(taken, place, record, position)
                if moved is None:
                    break
                position = replace(
                    moved, next_offset=record.offset + 1, record_sha256=_sha256(record)
                )
            if position != held[place]:
                taken.positions[place] = position
        return taken

    def _take(
        self, taken: Taken, place: Place, record: ConsumerRecord, position: Position
    ) -> Position | None:
        """The position after a record; None where events are missing before it."""
        try:
            event = codec.decode(record.value or b"")
        except codec.UndecodableError as error:
            taken.read += 1
            taken.unreadable.append((record, str(error)))
            return _past_unreadable(record, position)
        marks = isinstance(event.data, WatermarkPassed | RevocationWatermark)
        ordered = record.topic != DEAD_LETTER.name  # many write it: no seq, its offset decides
        if ordered and not marks and (event.epoch, event.seq) <= position.place:
            taken.dropped[record.topic] += 1
            return position
        missing = _missing(event, position, marks=marks) if ordered else 0
        if missing:
            if self._unfillable.get(place, (0, 0)) < (event.epoch, event.seq):
                taken.holes[place] = (event.epoch, event.seq)
                return None
            taken.missed[record.topic] += missing
        taken.read += 1
        taken.received.append(
            Received(
                event=event,
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                raw=record.value,
            )
        )
        if not ordered or (marks and not missing):
            return position
        return replace(position, epoch=event.epoch, seq=event.seq)


def _missing(event: Event, position: Position, *, marks: bool) -> int:
    """How many events are missing: seqs are dense, and a watermark repeats its forerunner's."""
    if position.epoch == 0:
        return 0
    return max(0, event.seq - position.seq - (0 if marks else 1))


def _past_unreadable(record: ConsumerRecord, position: Position) -> Position:
    """An event that violates its schema may still say its place; believed only if it is the next.

    Without that, its seq would look like a hole.
    """
    try:
        said: Any = json.loads(record.value or b"")
        place = (said["epoch"], said["seq"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return position
    if place == (position.epoch, position.seq + 1):
        return replace(position, seq=position.seq + 1)
    return position


def _sha256(record: ConsumerRecord) -> bytes:
    return hashlib.sha256(record.value or b"").digest()
