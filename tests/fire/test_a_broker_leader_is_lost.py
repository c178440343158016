"""`make fire-brokers` as tests: three Kafka nodes, leaders killed, each node restarted in turn."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fire.run import Outcome, Plan, run

SEED = 7


@pytest.fixture(scope="module")
def brokers() -> Iterator[Outcome]:
    """What became of it."""
    with tempfile.TemporaryDirectory(prefix="revocast-fire-") as name:
        plan = Plan(seed=SEED, minutes=5, kills=2, directory=Path(name), brokers=3, rolling=True)
        yield run(plan)


def test_all_is_ready_soon_without_the_leader(brokers: Outcome) -> None:
    """Two leaders are killed and three nodes restarted; each time all is ready within the bound."""
    assert brokers.killed.total() == 2
    restarted = {each.target for each in brokers.history.faults if each.act == "restart"}
    assert restarted == {"kafka-1", "kafka-2", "kafka-3"}
    assert brokers.unready == []


def test_no_promise_is_broken_by_it(brokers: Outcome) -> None:
    """The checker finds nothing in what clients saw and in what was left."""
    assert [str(each) for each in brokers.violations] == []


def test_guards_deny_while_a_node_is_away(brokers: Outcome) -> None:
    """Tokens were revoked, and denied by guards, between a leader's loss and its return."""
    lost = [each.at for each in brokers.history.faults if each.act == "kill"]
    back = [each.at for each in brokers.history.faults if each.act == "start"]
    for began, ended in zip(lost, back, strict=True):
        meanwhile = [d for d in brokers.history.decisions if began < d.before < ended]
        assert "revoked" in {decision.verdict for decision in meanwhile}
