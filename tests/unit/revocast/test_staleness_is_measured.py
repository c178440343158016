from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revocast.freshness import Freshness
from revocast_contracts.lifetimes import SKEW
from revocast_contracts.topics import WATERMARK_SOURCES
from tests.unit.revocast.support import NOW, HandClock, watermark

SKEW_SECONDS = SKEW.total_seconds()


def test_a_missing_source_is_never() -> None:
    """Until every source of the contract was heard, there is no bound at all."""
    freshness = Freshness(HandClock().clock())
    for count, source in enumerate(WATERMARK_SOURCES, start=1):
        assert freshness.staleness() is None
        assert source in freshness.missing()
        freshness.heard({source: watermark(NOW).sources[source]})
        assert len(freshness.missing()) == len(WATERMARK_SOURCES) - count
    assert freshness.staleness() == SKEW_SECONDS


def test_the_oldest_source_counts() -> None:
    """One shard that lags behind makes the whole reader as stale as itself."""
    freshness = Freshness(HandClock().clock())
    freshness.heard(watermark(NOW, revocation=NOW - 40).sources)
    assert freshness.staleness() == 40 + SKEW_SECONDS


def test_staleness_grows_while_nothing_comes() -> None:
    """It is computed at each question, not when a watermark arrives."""
    clock = HandClock()
    freshness = Freshness(clock.clock())
    freshness.heard(watermark(NOW).sources)
    clock.pass_(7)
    assert freshness.staleness() == 7 + SKEW_SECONDS


def test_a_slow_wall_clock_cannot_hide_a_standstill() -> None:
    """With the wall clock an hour behind, the time since the watermark moved still counts."""
    clock = HandClock(wall=NOW - 3600)
    freshness = Freshness(clock.clock())
    freshness.heard(watermark(NOW).sources)
    clock.monotonic += 25
    freshness.heard(watermark(NOW).sources)
    assert freshness.staleness() == 25 + SKEW_SECONDS


def test_one_moving_source_does_not_hide_a_dead_one() -> None:
    """The time since T last moved is that of the oldest source, not of the newest record."""
    clock = HandClock()
    freshness = Freshness(clock.clock())
    freshness.heard(watermark(NOW).sources)
    for _ in range(30):
        clock.pass_(1)
        alive = watermark(clock.wall).sources
        freshness.heard({name: when for name, when in alive.items() if name != "revocation"})
    assert freshness.staleness() == 30 + SKEW_SECONDS


def test_a_watermark_of_the_past_changes_nothing() -> None:
    """What was delivered stays delivered, whoever repeats an older time."""
    clock = HandClock()
    freshness = Freshness(clock.clock())
    freshness.heard(watermark(NOW).sources)
    freshness.heard(watermark(NOW - 500).sources)
    assert freshness.staleness() == SKEW_SECONDS


def test_an_undeclared_source_does_not_count() -> None:
    """Neither as the oldest nor in place of a declared one."""
    freshness = Freshness(HandClock().clock())
    freshness.heard({"stranger": watermark(NOW - 9).sources["revocation"]})
    assert freshness.staleness() is None
    freshness.heard(watermark(NOW).sources)
    assert freshness.staleness() == SKEW_SECONDS


@given(
    steps=st.lists(
        st.tuples(st.floats(0, 60), st.floats(0, 60), st.sampled_from(WATERMARK_SOURCES)),
        max_size=20,
    )
)
def test_staleness_is_never_below_the_truth(steps: list[tuple[float, float, str]]) -> None:
    """Whatever comes when, staleness is at least the age of the oldest source, plus skew."""
    clock = HandClock()
    freshness = Freshness(clock.clock())
    freshness.heard(watermark(NOW).sources)
    oldest = dict.fromkeys(WATERMARK_SOURCES, float(NOW))
    for passed, behind, source in steps:
        clock.pass_(passed)
        said = watermark(clock.wall - behind).sources[source]
        freshness.heard({source: said})
        oldest[source] = max(oldest[source], said.timestamp())
        truth = clock.wall - min(oldest.values())
        staleness = freshness.staleness()
        assert staleness is not None
        assert staleness >= truth + SKEW_SECONDS or staleness == pytest.approx(truth + SKEW_SECONDS)


def test_the_skew_is_the_contracts() -> None:
    """Everybody adds the same: what guards forgive is what readers assume."""
    assert timedelta(seconds=SKEW_SECONDS) == SKEW
