"""The detector at work: a batch of events -> what each of them proves about its family."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from revocast_contracts.envelope import Event
from revocast_contracts.lifecycle import (
    FamilyEnded,
    TokenIssued,
    TokenPresentedStale,
    TokenReplayed,
    TokenRotated,
)
from revocation.domain.detector import Observation, Verdict, What, observe
from revocation.store import lineages
from servicekit.postgres import Connection

FamilyData = TokenIssued | TokenRotated | TokenReplayed | TokenPresentedStale | FamilyEnded


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A verdict and the event that gave it; `data` is the event's, `family` its family."""

    event: Event
    data: FamilyData
    family: str
    verdict: Verdict


async def judge_families(connection: Connection, events: Sequence[Event]) -> list[Judged]:
    """Advance the lineages of all families in the batch; every verdict, in the batch's order."""
    told = [(event, event.data) for event in events if isinstance(event.data, FamilyData)]
    seen = [
        (event, data, data.family)
        for event, data in told
        if data.family is not None and not (isinstance(data, TokenIssued) and not data.refreshable)
    ]
    if not seen:
        return []
    known = await lineages.lock(connection, {family for _, _, family in seen})
    judged: list[Judged] = []
    for event, data, family in seen:
        known[family], verdicts = observe(known.get(family), observation_of(event, data))
        judged += [
            Judged(event=event, data=data, family=family, verdict=verdict) for verdict in verdicts
        ]
    await lineages.write(connection, known)
    return judged


def observation_of(event: Event, data: FamilyData) -> Observation:
    """An event of a family in the detector's words."""
    seen = partial(
        Observation,
        event_id=event.id,
        place=(event.epoch, event.seq),
        at=event.time,
        network=data.origin.network if data.origin else None,
    )
    match data:
        case TokenIssued():
            return seen(what=What.STARTED, generation=1)
        case TokenRotated():
            return seen(what=What.ROTATED, generation=data.generation)
        case TokenReplayed():
            return seen(
                what=What.REPLAYED,
                generation=data.generation,
                presented=data.generation - 1,
                replay=data.replay,
                age_ms=data.age_ms,
            )
        case TokenPresentedStale():
            return seen(
                what=What.PRESENTED_STALE,
                generation=data.current_generation,
                presented=data.presented_generation,
            )
        case FamilyEnded():
            return seen(what=What.ENDED, generation=data.generation)
