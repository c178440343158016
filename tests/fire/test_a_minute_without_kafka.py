"""`make fire-outage` as tests: sixty seconds without a broker under load."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fire.run import Outcome, Plan, run

SEED = 7
SECONDS = 60.0


@pytest.fixture(scope="module")
def outage() -> Iterator[Outcome]:
    """What became of it."""
    with tempfile.TemporaryDirectory(prefix="revocast-fire-") as name:
        yield run(Plan(seed=SEED, minutes=5, kills=1, directory=Path(name), outage=SECONDS))


def test_all_is_enforced_and_recorded_in_time(outage: Outcome) -> None:
    """Guards deny all that was revoked, and audit has all, within the bound after it is back."""
    assert outage.killed == {"kafka": 1}
    assert outage.unready == []


def test_no_promise_is_broken_by_it(outage: Outcome) -> None:
    """The checker finds nothing in what clients saw and in what was left."""
    assert [str(each) for each in outage.violations] == []


def test_tokens_were_issued_and_revoked_meanwhile(outage: Outcome) -> None:
    """The issuer served all the time, and there was something to enforce."""
    (killed,) = [each.at for each in outage.history.faults if each.act == "kill"]
    (back,) = [each.at for each in outage.history.faults if each.act == "start"]
    meanwhile = [each for each in outage.history.requests if killed < each.before < back]
    assert {"refresh", "theft", "kill"} <= {each.act for each in meanwhile}
    statuses = {each.status for each in meanwhile if each.act == "refresh"}
    assert 200 in statuses
    assert statuses <= {200, 400}
