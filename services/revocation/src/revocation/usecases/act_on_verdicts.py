"""Verdicts take effect: signals with their evidence, kills where the issuer has not acted."""

from collections.abc import Collection, Sequence
from datetime import datetime

from messaging import outbox
from revocast_contracts.envelope import Data, Draft
from revocast_contracts.lifecycle import StaleClass, TokenPresentedStale
from revocast_contracts.revocations import EntryCause
from revocast_contracts.selectors import Selector, SelectorKind
from revocast_contracts.signals import AnomalyDetected, AnomalyRule, ReuseDetected
from revocast_contracts.topics import SECURITY_SIGNALS
from revocation.domain.detector import Anomaly, Reuse, Rule, Verdict
from revocation.domain.entries import anomaly_kill_id, anomaly_signal_id, reuse_signal_id
from revocation.store import kills
from revocation.store.kills import Kill
from revocation.usecases.decide_kill import announce, request_sha256
from revocation.usecases.judge_families import Judged
from revocation.usecases.publish_entries import Fact, family_fact
from servicekit.postgres import Connection


def reuse_fact(judged: Judged) -> Fact | None:
    """The dead family of a reuse verdict; None for an anomaly, which a kill answers."""
    if not isinstance(judged.verdict, Reuse):
        return None
    told = judged.data
    ended_at = told.ended_at if isinstance(told, TokenPresentedStale) else judged.event.time
    return family_fact(judged.event, judged.family, EntryCause.REUSE, ended_at)


async def act_on_verdicts(
    connection: Connection,
    verdicts: Sequence[Judged],
    covering: dict[Fact, str],
    *,
    ending: Collection[Rule],
    hash_key: bytes,
) -> None:
    """Tell every verdict, and kill the families that it ends and the issuer does not know of.

    `covering` names the entry of each reuse verdict's fact; `ending` are the rules that end.
    """
    if not verdicts:
        return
    signals = [_signal_of(judged, covering, ending) for judged in verdicts]
    await outbox.append(connection, SECURITY_SIGNALS, *signals)
    ended = [(judged, why) for judged in verdicts if (why := _why_we_end(judged.verdict, ending))]
    if ended:
        await _end(connection, ended, hash_key)


def _why_we_end(verdict: Verdict, ending: Collection[Rule]) -> str | None:
    match verdict:
        case Reuse(ended=ended):
            return None if ended else "reuse"
        case Anomaly(rule=rule):
            return rule.value if rule in ending else None


async def _end(connection: Connection, ended: list[tuple[Judged, str]], hash_key: bytes) -> None:
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    wanted: dict[str, Kill] = {}
    for judged, why in ended:
        kill = _kill(judged, why, now)
        wanted.setdefault(kill.id, kill)
    new = await kills.decide(connection, list(wanted.values()))
    decided = [kill for kill_id, kill in sorted(wanted.items()) if kill_id in new]
    await announce(connection, decided, cause=EntryCause.ANOMALY, hash_key=hash_key)


def _signal_of(judged: Judged, covering: dict[Fact, str], ending: Collection[Rule]) -> Draft:
    match judged.verdict:
        case Reuse() as reuse:
            return _reuse_signal(judged, reuse, covering)
        case Anomaly() as anomaly:
            return _anomaly_signal(judged, anomaly, ended=anomaly.rule in ending)


def _reuse_signal(judged: Judged, reuse: Reuse, covering: dict[Fact, str]) -> Draft:
    fact = reuse_fact(judged)
    assert fact is not None  # noqa: S101 -- the caller matched a reuse verdict
    data = ReuseDetected(
        family=judged.family,
        session=judged.data.session,
        sub=judged.data.sub,
        client_id=judged.data.client_id,
        reuse_class=StaleClass(reuse.reuse_class.value),
        presented_generation=reuse.presented,
        current_generation=reuse.current,
        evidence=tuple(str(event_id) for event_id in reuse.evidence),
        entry_id=covering[fact],
    )
    return _signal(judged, data).model_copy(update={"id": reuse_signal_id(judged.event.id)})


def _anomaly_signal(judged: Judged, anomaly: Anomaly, *, ended: bool) -> Draft:
    data = AnomalyDetected(
        rule=AnomalyRule(anomaly.rule.value),
        family=judged.family,
        session=judged.data.session,
        sub=judged.data.sub,
        client_id=judged.data.client_id,
        evidence=tuple(str(event_id) for event_id in anomaly.evidence),
        ended=ended,
    )
    signal_id = anomaly_signal_id(judged.event.id, anomaly.rule.value)
    return _signal(judged, data).model_copy(update={"id": signal_id})


def _signal(judged: Judged, data: Data) -> Draft:
    key = str(_selector(judged))
    return Draft(
        key=key,
        subject=key,
        time=judged.event.time,
        correlation_id=judged.event.correlationid,
        data=data,
    )


def _kill(judged: Judged, why: str, now: datetime) -> Kill:
    selector = _selector(judged)
    return Kill(
        id=anomaly_kill_id(judged.family, epoch=judged.event.epoch),
        selector=selector,
        cause="detector",
        actor="detector",
        reason=why,
        decided_at=now,
        applied_at=None,
        correlation_id=judged.event.correlationid,
        request_sha256=request_sha256(selector, why),
    )


def _selector(judged: Judged) -> Selector:
    return Selector(kind=SelectorKind.FAMILY, value=judged.family)
