"""`make fire-disk` as tests: PostgreSQL's disk is full, then slow, then stuck, under load."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fire.history import Request
from tests.fire.run import Outcome, Plan, run
from tests.support.small_disk import may_be_mounted

SEED = 7

pytestmark = pytest.mark.skipif(
    not may_be_mounted(), reason="only root may mount the small file system that is filled"
)


@pytest.fixture(scope="module")
def disk() -> Iterator[Outcome]:
    """What became of it."""
    with tempfile.TemporaryDirectory(prefix="revocast-fire-") as name:
        yield run(Plan(seed=SEED, minutes=5, kills=1, directory=Path(name), bad_disk=True))


def test_all_is_ready_again_without_hands(disk: Outcome) -> None:
    """After each of the four, all processes are ready within the bound."""
    assert len(disk.notes) == 4
    assert disk.unready == []


def test_no_promise_is_broken_by_it(disk: Outcome) -> None:
    """Nothing lost, doubled or half made: the checker finds nothing in what was left."""
    assert [str(each) for each in disk.violations] == []


def test_a_full_disk_is_answered_as_the_rfc_wants_it(disk: Outcome) -> None:
    """Nothing is issued meanwhile: 503 temporarily_unavailable, and never 500, at any time."""
    meanwhile = _between(disk, "full", "free")
    refused = [each for each in meanwhile if each.status == 503 and each.act == "refresh"]
    assert refused
    assert {each.error for each in refused} == {"temporarily_unavailable"}
    assert 500 not in {each.status for each in disk.history.requests}


def test_a_slow_disk_only_makes_it_slow(disk: Outcome) -> None:
    """Ten flushes a second serve the clients all the same."""
    meanwhile = [each for each in _between(disk, "slow", "fast") if each.act == "refresh"]
    answered = [each for each in meanwhile if each.status == 200]
    assert len(answered) > len(meanwhile) / 2


def _between(outcome: Outcome, act: str, end: str) -> list[Request]:
    (began,) = [each.at for each in outcome.history.faults if each.act == act]
    (ended,) = [each.at for each in outcome.history.faults if each.act == end]
    return [each for each in outcome.history.requests if began < each.before < ended]
