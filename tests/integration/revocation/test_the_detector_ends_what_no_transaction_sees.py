from itertools import chain

import pytest

from messaging.consume import Received
from revocast_contracts.revocations import EntryCause, EntryState
from revocast_contracts.signals import AnomalyDetected, AnomalyRule, KillCompleted, KillDecided
from revocast_contracts.topics import SECURITY_SIGNALS
from revocation.domain.detector import Rule
from servicekit.postgres import Pool
from tests.support.revocation import (
    Facts,
    a_handler,
    correlations,
    entries,
    family_selector,
    handle,
    signals,
)


def shadowed(facts: Facts) -> list[Received]:
    """Three generations, each of them replayed."""
    started = facts.started()
    pairs = [(facts.rotated(n), facts.replayed(n)) for n in (2, 3, 4)]
    return [started, *chain.from_iterable(pairs)]


def rotated_twice(facts: Facts) -> list[Received]:
    """One generation made twice, by an issuer that lost a commit."""
    first = [facts.started(), facts.rotated(2)]
    facts.epoch = 2
    return [*first, facts.rotated(2)]


def from_elsewhere(facts: Facts) -> list[Received]:
    """A replay from another network than the rotation."""
    return [facts.rotated(2), facts.replayed(2, network="198.51.100.0/24")]


ANOMALIES = pytest.mark.parametrize(
    ("stream", "rule"),
    [
        (rotated_twice, AnomalyRule.GENERATION_ROTATED_TWICE),
        (from_elsewhere, AnomalyRule.REPLAYED_FROM_ANOTHER_NETWORK),
    ],
)


@ANOMALIES
@pytest.mark.parametrize("alone", [True, False], ids=["one by one", "in one batch"])
async def test_an_anomaly_ends_the_family(
    pool: Pool, stream: object, rule: AnomalyRule, *, alone: bool
) -> None:
    """The signal names rule and evidence; a pending entry kills at once and asks the issuer to."""
    assert callable(stream)
    facts = Facts()
    events = stream(facts)
    for batch in [[event] for event in events] if alone else [events]:
        await handle(pool, *batch)
    (anomaly,) = await signals(pool, AnomalyDetected)
    assert (anomaly.rule, anomaly.family, anomaly.ended) == (rule, facts.family, True)
    assert str(events[-1].event.id) in anomaly.evidence
    (kill,) = await signals(pool, KillDecided)
    assert (kill.cause, kill.reason) == ("detector", rule.value)
    (entry,) = await entries(pool)
    assert (entry.entry_id, entry.state) == (kill.kill_id, EntryState.PENDING)
    assert (entry.selector, entry.cause) == (family_selector(facts), EntryCause.ANOMALY)
    assert await correlations(pool, SECURITY_SIGNALS, KillDecided) == ["cause"]


async def test_a_thief_inside_grace_is_found_after_three_generations(pool: Pool) -> None:
    """Replays in three generations in a row end the family."""
    facts = Facts()
    for event in shadowed(facts):
        await handle(pool, event)
    (anomaly,) = await signals(pool, AnomalyDetected)
    assert anomaly.rule is AnomalyRule.REPLAYED_IN_SUCCESSION
    assert len(anomaly.evidence) == 3
    assert len(await entries(pool)) == 1


@ANOMALIES
async def test_policy_may_only_watch(pool: Pool, stream: object, rule: AnomalyRule) -> None:
    """A rule that is not among those that end is told, and nothing is killed."""
    assert callable(stream)
    await handle(pool, *stream(Facts()), handler=a_handler(ending=frozenset()))
    (anomaly,) = await signals(pool, AnomalyDetected)
    assert (anomaly.rule, anomaly.ended) == (rule, False)
    assert await signals(pool, KillDecided) == []
    assert await entries(pool) == []


async def test_a_family_is_killed_once_for_several_anomalies(pool: Pool) -> None:
    """Two rules that match yield two signals and one kill."""
    facts = Facts()
    await handle(pool, *from_elsewhere(facts))
    facts.epoch = 1
    await handle(pool, facts.rotated(2))
    assert len(await signals(pool, AnomalyDetected)) == 2
    assert len(await signals(pool, KillDecided)) == 1
    assert len(await entries(pool)) == 1


async def test_the_issuer_confirms_the_detectors_kill(pool: Pool) -> None:
    """Once the issuer ended the family, the same entry becomes applied and the kill completed."""
    facts = Facts()
    await handle(pool, *from_elsewhere(facts))
    (pending,) = await entries(pool)
    await handle(pool, facts.applied(pending.entry_id, pending.selector))
    _, applied = await entries(pool)
    assert (applied.entry_id, applied.state) == (pending.entry_id, EntryState.APPLIED)
    assert (applied.cause, applied.not_before) == (EntryCause.ANOMALY, None)
    assert [done.kill_id for done in await signals(pool, KillCompleted)] == [pending.entry_id]


async def test_rules_are_the_contracts_rules() -> None:
    """The detector's words are those of the contract."""
    assert {rule.value for rule in Rule} == {rule.value for rule in AnomalyRule}


async def test_a_family_without_refresh_tokens_needs_no_lineage(pool: Pool) -> None:
    """What can never rotate is not remembered; what can, is."""
    facts, other = Facts(), Facts()
    await handle(pool, facts.started(refreshable=False), other.started())
    rows = await pool.fetch("SELECT family FROM lineage")
    assert [row["family"] for row in rows] == [other.family]
