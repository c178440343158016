from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from revocast_contracts.envelope import uuid7
from revocation.domain.entries import anomaly_kill_id, entry_id, reuse_signal_id

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = st.text(alphabet="abc:@", min_size=1, max_size=4)


@settings(deadline=None)
@given(st.tuples(WORDS, WORDS, WORDS))
def test_the_same_fact_has_the_same_entry_id(fact: tuple[str, str, str]) -> None:
    """Kind, value and cause make the id; saying a fact again is the same record."""
    assert entry_id(*fact) == entry_id(*fact)


def test_each_part_of_a_fact_changes_its_entry_id() -> None:
    """Another kind, value, cause or moment is another entry."""
    ids = [
        entry_id("family", "a", "reuse"),
        entry_id("session", "a", "reuse"),
        entry_id("family", "b", "reuse"),
        entry_id("family", "a", "logout"),
        entry_id("family", "a", "reuse", from_moment=MOMENT),
        entry_id("family", "a", "reuse", from_moment=MOMENT + timedelta(microseconds=1)),
    ]
    assert len(set(ids)) == len(ids)


def test_the_detector_kills_a_family_once_an_epoch() -> None:
    """Its kill has one id per family and epoch, so that a restored issuer is told again."""
    assert anomaly_kill_id("f", epoch=1) == anomaly_kill_id("f", epoch=1)
    assert anomaly_kill_id("f", epoch=1) != anomaly_kill_id("f", epoch=2)


def test_a_reuse_signal_is_named_after_its_event() -> None:
    """Judging an event again gives the signal the same id."""
    event = uuid7()
    assert reuse_signal_id(event) == reuse_signal_id(event) != reuse_signal_id(uuid7())
