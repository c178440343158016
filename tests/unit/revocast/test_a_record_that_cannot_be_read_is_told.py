from datetime import timedelta

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from revocast.feed import Intake, LogReplacedError
from revocast.log_watch import AnchorGoneError, LogWatch
from revocast.stats import Stats
from revocast_contracts.lifecycle import WatermarkPassed
from revocast_contracts.lifetimes import REVOCATIONS_RETENTION
from revocast_contracts.selectors import SelectorKind
from tests.unit.revocast.support import NOW, HandClock, at, claims, entry, record, watermark

BOUND = timedelta(seconds=30)
PLACE = TopicPartition("log", 0)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def intake(clock: HandClock) -> Intake:
    """One that has read the log to its end and heard every source."""
    intake = Intake(clock.clock(), Stats())
    intake.take(*record(watermark(NOW)))
    intake.reached_end()
    assert intake.trouble(BOUND) is None
    return intake


def test_entries_are_in_force_when_they_are_taken(intake: Intake) -> None:
    """`take` gives the entry back, already denying, with the id of what caused it."""
    said = entry(expires_at=NOW + 60)
    assert intake.take(*record(said)) == (said, "test")
    assert intake.revocations.denies(claims()) is not None


@pytest.mark.parametrize("value", [b"", b"x", b"{}", b"\xff", b'{"type": "revocast.revocation"}'])
def test_an_unreadable_record_is_trouble(intake: Intake, value: bytes) -> None:
    """It could be a revocation, so the reader says that it cannot know."""
    assert intake.take(b"family:1|a", value) is None
    assert intake.trouble(BOUND) == "a record on the log of revocations could not be read"


def test_an_unknown_selector_is_trouble(intake: Intake) -> None:
    """An entry of a newer kind cannot be enforced here, and that is said."""
    key, value = record(entry(SelectorKind.FAMILY, "f", expires_at=NOW + 60))
    intake.take(key, value.replace(b'"family"', b'"planet"'))
    assert intake.trouble(BOUND) is not None


@pytest.mark.parametrize("value", [None, record(entry(expires_at=NOW + 60))[1]])
def test_a_readable_record_or_a_tombstone_of_its_key_ends_it(
    intake: Intake, value: bytes | None
) -> None:
    """The applied entry replaces the pending one; an operator may write the tombstone."""
    intake.take(b"family:1|a", b"x")
    intake.take(b"family:1|b", value)
    assert intake.trouble(BOUND) is not None
    intake.take(b"family:1|a", value)
    assert intake.trouble(BOUND) is None


def test_reading_again_clears_only_what_is_gone(intake: Intake) -> None:
    """While the log is read again the trouble stays, until its end shows that the record left."""
    intake.take(b"family:1|a", b"x")
    intake.restart()
    assert intake.trouble(BOUND) is not None
    intake.reached_end()
    assert intake.trouble(BOUND) is None


def test_a_record_without_key_is_cleared_by_no_other(intake: Intake) -> None:
    """Two records without a key are two records."""
    intake.take(None, b"x")
    intake.take(None, record(entry(expires_at=NOW + 60))[1])
    intake.take(None, None)
    assert intake.trouble(BOUND) is not None


def test_trouble_ends_when_the_entry_must_have_expired(intake: Intake, clock: HandClock) -> None:
    """Kafka deletes the record by then, and no token that it could deny is alive."""
    intake.take(b"family:1|a", b"x")
    clock.pass_(REVOCATIONS_RETENTION.total_seconds() - 1)
    intake.take(*record(watermark(clock.wall)))
    assert intake.trouble(BOUND) is not None
    clock.pass_(1)
    assert intake.trouble(BOUND) is None


def test_a_type_of_the_future_is_skipped_and_counted(clock: HandClock) -> None:
    """A new version stands beside the old one, so nothing is missed by not knowing it."""
    stats = Stats()
    intake = Intake(clock.clock(), stats)
    key, value = record(watermark(NOW))
    assert intake.take(key, value.replace(b"watermark.v1", b"watermark.v2")) is None
    intake.take(*record(WatermarkPassed(source="x", complete_through=at(NOW))))
    assert (stats.unknown_types, stats.unreadable, stats.watermarks) == (2, 0, 0)


def test_nothing_counts_before_the_end_of_the_log(clock: HandClock) -> None:
    """A fresh watermark in the middle of the log is no promise about its rest."""
    intake = Intake(clock.clock(), Stats())
    intake.take(*record(watermark(NOW)))
    assert intake.trouble(BOUND) == "the log of revocations has not been read to its end yet"


def test_the_bound_is_the_bound(intake: Intake, clock: HandClock) -> None:
    """At the bound it is fine, beyond it is not; the skew counts."""
    clock.pass_(20)
    assert intake.trouble(BOUND) is None
    clock.pass_(0.5)
    assert intake.trouble(BOUND) is not None


def test_a_new_epoch_means_reading_everything_again(intake: Intake) -> None:
    """Its first record is not believed before all that stands before it was read."""
    said = entry(expires_at=NOW + 60)
    with pytest.raises(LogReplacedError):
        intake.take(*record(said, epoch=2))
    intake.distrust()
    assert intake.trouble(BOUND) is not None
    intake.restart()
    intake.take(*record(said, epoch=2))
    intake.reached_end()
    intake.take(*record(watermark(NOW), epoch=2))
    assert intake.trouble(BOUND) is None


def test_an_epoch_met_on_the_way_means_reading_again(clock: HandClock) -> None:
    """The log may have been replaced while it was being read the first time."""
    intake = Intake(clock.clock(), Stats())
    intake.take(*record(watermark(NOW), epoch=1))
    intake.take(*record(watermark(NOW), epoch=2))
    with pytest.raises(LogReplacedError):
        intake.reached_end()
    intake.restart()
    intake.take(*record(watermark(NOW), epoch=1))
    intake.take(*record(watermark(NOW), epoch=2))
    intake.reached_end()
    assert intake.trouble(BOUND) is None


def test_a_late_record_of_an_old_epoch_is_merged(intake: Intake) -> None:
    """A publisher that was paused can only add: nothing is forgotten, nothing is read again."""
    with pytest.raises(LogReplacedError):
        intake.take(*record(watermark(NOW), epoch=2))
    intake.take(*record(entry(expires_at=NOW + 60), epoch=1))
    assert intake.revocations.denies(claims()) is not None


class Seeks:
    """Where a consumer was sent."""

    def __init__(self) -> None:
        self.offset: int | None = None

    def seek(self, place: TopicPartition, offset: int) -> None:
        assert place == PLACE
        self.offset = offset


def _at(offset: int, value: bytes) -> ConsumerRecord:
    return ConsumerRecord(
        topic="log",
        partition=0,
        offset=offset,
        timestamp=offset,
        timestamp_type=0,
        key=b"k",
        value=value,
        checksum=None,
        serialized_key_size=1,
        serialized_value_size=len(value),
        headers=(),
    )


def test_the_same_log_shows_the_same_record() -> None:
    """Asked again, the anchor comes first; it and what was read after it is no news."""
    watch, seeks = LogWatch(), Seeks()
    assert [watch.is_news(_at(offset, b"a")) for offset in (3, 4, 7)] == [True, True, True]
    watch.ask_again(seeks, {PLACE: 8})
    assert seeks.offset == 3
    assert [watch.is_news(_at(offset, b"a")) for offset in (3, 4, 7, 8)] == [False] * 3 + [True]
    watch.ask_again(seeks, {PLACE: 9})
    assert seeks.offset == 7


def test_another_log_shows_another_record() -> None:
    """A recreated topic that has grown past our position is found out by its contents."""
    watch = LogWatch()
    watch.is_news(_at(3, b"old"))
    watch.is_news(_at(4, b"new"))
    watch.ask_again(Seeks(), {PLACE: 5})
    with pytest.raises(LogReplacedError):
        watch.is_news(_at(3, b"new"))


def test_a_record_that_is_gone_proves_nothing() -> None:
    """Compaction took the anchor: all is read again, but what is known stays trusted."""
    watch = LogWatch()
    watch.is_news(_at(3, b"old"))
    watch.ask_again(Seeks(), {PLACE: 5})
    with pytest.raises(AnchorGoneError):
        watch.is_news(_at(4, b"old"))


def test_a_log_that_became_shorter_is_another_log() -> None:
    """Its end stands before what was read of it."""
    watch = LogWatch()
    watch.is_news(_at(3, b"old"))
    with pytest.raises(LogReplacedError):
        watch.ask_again(Seeks(), {PLACE: 3})
