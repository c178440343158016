import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from aiokafka import ConsumerRecord

from messaging.intake import Hole, Intake, Taken
from messaging.positions import START, Place, Position
from revocast_contracts import codec
from revocast_contracts.dead_letters import LetterDied
from revocast_contracts.envelope import Data, Draft
from revocast_contracts.lifecycle import EndCause, FamilyEnded, WatermarkPassed
from revocast_contracts.topics import DEAD_LETTER, TOKEN_LIFECYCLE

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HERE: Place = (TOKEN_LIFECYCLE.name, 0)


def value(data: Data, *, epoch: int, seq: int) -> bytes:
    draft = Draft(key="k", subject="k", time=NOW, correlation_id="c", data=data)
    return codec.encode(codec.place(draft, source="issuer", shard=0, epoch=epoch, seq=seq))


def fact(seq: int, *, epoch: int = 1) -> bytes:
    ended = FamilyEnded(
        family="k",
        sub="s",
        client_id="c",
        generation=seq,
        cause=EndCause.LOGOUT,
        ended_at=NOW,
    )
    return value(ended, epoch=epoch, seq=seq)


def mark(seq: int, *, epoch: int = 1) -> bytes:
    passed = WatermarkPassed(source="token-lifecycle/0", complete_through=NOW)
    return value(passed, epoch=epoch, seq=seq)


def log(*values: bytes, first: int = 0, place: Place = HERE) -> "list[ConsumerRecord]":
    """Records of one partition, from an offset on."""
    return [
        ConsumerRecord(
            topic=place[0],
            partition=place[1],
            offset=offset,
            timestamp=0,
            timestamp_type=0,
            key=None,
            value=each,
            checksum=None,
            serialized_key_size=0,
            serialized_value_size=len(each),
            headers=(),
        )
        for offset, each in enumerate(values, start=first)
    ]


def take(
    records: "list[ConsumerRecord]", held: Position = START, intake: Intake | None = None
) -> Taken:
    place = (records[0].topic, records[0].partition)
    return (intake or Intake()).take({place: records}, {place: held})


def seqs(taken: Taken) -> list[int]:
    return [received.event.seq for received in taken.received]


def after(records: "Sequence[ConsumerRecord]") -> Position:
    """The position after records that were handled."""
    return take(list(records)).positions[HERE]


def test_what_was_sent_again_is_dropped() -> None:
    """A record whose place is not above the position has no effect, wherever it stands."""
    taken = take(log(fact(1), fact(2), fact(1), fact(2), fact(3)))
    assert seqs(taken) == [1, 2, 3]
    assert taken.positions[HERE].place == (1, 3)
    assert taken.positions[HERE].next_offset == 5


def test_where_nothing_is_missing_nothing_is_told() -> None:
    """A dense log names no topic from which events would be gone."""
    taken = take(log(mark(0), fact(1), mark(1), fact(2)))
    assert dict(taken.missed) == {}


def test_a_later_epoch_is_later_whatever_its_seq() -> None:
    """A restored writer begins an epoch; its events pass even where their seqs are lower."""
    taken = take(log(fact(1), fact(2), fact(3), fact(2, epoch=2)))
    assert [(r.event.epoch, r.event.seq) for r in taken.received][-1] == (2, 2)


def test_watermarks_pass_and_move_no_place() -> None:
    """A watermark repeats the seq of the event before it, is handed on, moves only the offset."""
    taken = take(log(mark(0), fact(1), mark(1), mark(1)))
    assert seqs(taken) == [0, 1, 1, 1]
    assert taken.positions[HERE].place == (1, 1)


def test_a_watermark_before_the_events_hides_none() -> None:
    """In a log that was filled again the first record may be a late watermark."""
    taken = take(log(mark(2), fact(1), fact(2)))
    assert seqs(taken) == [2, 1, 2]


def test_events_after_the_first_watermark_are_missed_when_they_are_gone() -> None:
    """Who has heard that nothing was said yet, and next hears of a third, missed three."""
    held = after(log(mark(0)))
    taken = take(log(mark(3), first=9), held)
    assert taken.holes == {HERE: Hole(at=(1, 0), beyond=(1, 3))}
    assert settle(mark(0), fact(1), fact(2)) == [0, 1, 2]


def test_a_zombie_finds_its_work_done() -> None:
    """A batch that another member has handled meanwhile gives nothing, watermarks included."""
    records = log(fact(1), mark(1), b"garbage")
    taken = take(records, after(records))
    assert (taken.received, taken.unreadable, taken.positions) == ([], [], {})


def settle(*values: bytes, held: Position = START) -> list[int]:
    """The seqs that are handled when a log is read, from its beginning again after each hole."""
    intake = Intake()
    records = log(*values)
    handled: list[int] = []
    for _ in range(10):
        taken = take(records, held, intake)
        held = taken.positions.get(HERE, held)
        intake.saved(taken)
        handled += seqs(taken)
        if not taken.holes:
            return handled
        intake.search(HERE, taken.holes[HERE], until=len(records))
        intake.start_over(HERE)
    raise AssertionError("it never ends")


def test_a_hole_is_not_stepped_over() -> None:
    """What comes after missing events is not taken."""
    taken = take(log(fact(1), fact(2), fact(5), fact(6)))
    assert seqs(taken) == [1, 2]
    assert taken.holes == {HERE: Hole(at=(1, 2), beyond=(1, 5))}


def test_a_hole_that_nothing_fills_is_accepted() -> None:
    """After a whole search that found nothing, what stands behind the hole is handled."""
    assert settle(fact(1), fact(2), fact(5), fact(6), fact(9)) == [1, 2, 5, 6, 9]


def test_late_events_are_found_behind_later_ones() -> None:
    """Whatever the order in the log, each event is handled once and in the order of its seq."""
    assert settle(fact(1), fact(3), fact(2), fact(3)) == [1, 2, 3]
    assert settle(fact(1), fact(3), fact(2)) == [1, 2, 3]
    assert settle(fact(1), fact(4), fact(3), fact(2)) == [1, 2, 3, 4]
    assert settle(fact(1), mark(2), fact(3), mark(3), fact(2)) == [1, 2, 2, 3, 3]


def test_a_log_that_was_filled_again_behind_its_newest_events() -> None:
    """A consumer that lagged when its topic was made anew gets all that it had not handled yet."""
    behind = after(log(*(fact(seq) for seq in range(1, 51))))
    held = replace(behind, next_offset=0)
    newest = [fact(seq) for seq in range(101, 106)]
    everything = [fact(seq) for seq in range(1, 106)]
    assert settle(*newest, *everything, held=held) == list(range(51, 106))


def test_a_watermark_tells_of_a_hole() -> None:
    """A watermark with a later seq than the last event shows that events are missing."""
    taken = take(log(fact(1), mark(3)))
    assert taken.holes == {HERE: Hole(at=(1, 1), beyond=(1, 3))}


def test_poison_is_set_aside_and_looks_like_no_hole() -> None:
    """An event that violates its schema still says its place; plain garbage has none."""
    spoiled = json.loads(fact(2))
    spoiled["data"]["generation"] = "many"
    taken = take(log(fact(1), json.dumps(spoiled).encode(), b"garbage", fact(3)))
    assert seqs(taken) == [1, 3]
    assert [record.offset for record, _ in taken.unreadable] == [1, 2]
    assert taken.holes == {}


def test_poison_cannot_move_the_position_ahead() -> None:
    """A place that an unreadable record claims is believed only if it is the next one."""
    forged = b'{"epoch": 1, "seq": 1000000}'
    assert seqs(take(log(fact(1), forged, fact(2)))) == [1, 2]


def test_poison_that_is_nested_too_deep_is_only_poison() -> None:
    """A record that would exhaust a parser is set aside like any other."""
    taken = take(log(b"[" * 100_000, fact(1)))
    assert seqs(taken) == [1]
    assert len(taken.unreadable) == 1


def test_dead_letters_are_ordered_by_their_offset() -> None:
    """Many write dead letters, so they have no seq: all pass, and none twice."""
    there: Place = (DEAD_LETTER.name, 0)
    died = LetterDied(
        topic="t", partition=0, offset=1, consumer="c", reason="r", sha256="", original=""
    )
    records = log(*[value(died, epoch=1, seq=0)] * 3, place=there)
    taken = take(records)
    assert len(taken.received) == 3
    assert take(records, taken.positions[there]).received == []


def test_the_record_before_a_position_tells_the_log() -> None:
    """Reading goes on only behind the very record that was last handled."""
    records = log(fact(1), fact(2))
    position = after(records)
    assert position.record_sha256 == hashlib.sha256(fact_value := records[1].value).digest()
    assert fact_value
    for others, same in (
        (records[1:], True),
        (log(fact(7), first=1), False),
        (log(fact(2), first=2), False),
    ):
        intake = Intake()
        intake.expect(HERE, position)
        assert intake.is_same_log(HERE, others) is same
