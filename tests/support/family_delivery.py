"""Families' events from the outbox to the detector: in order within a family, in no other."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import UUID

from messaging.rows import COLUMNS, event_of
from revocast_contracts.envelope import Event
from revocation.domain.detector import Anomaly
from revocation.usecases.judge_families import judge_families
from servicekit.postgres import Pool, transaction

FIGURES: dict[str, Callable[[dict[str, Any]], tuple[Any, ...]]] = {
    "issued": lambda data: (1,),
    "rotated": lambda data: (data["generation"],),
    "replayed": lambda data: (data["generation"], data["replay"]),
    "presented_stale": lambda data: (data["presented_generation"], data["current_generation"]),
    "ended": lambda data: (data["generation"], data["cause"]),
    "denied": lambda data: (
        data["presented_generation"],
        data["current_generation"],
        data["reason"],
        data["count"],
    ),
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event as the outbox has it, its name without noun and version, and the model's figures."""

    event: Event
    name: str
    figures: tuple[Any, ...]


async def recorded(pool: Pool, family: UUID) -> list[Recorded]:
    """The events of a family in order, at places that rise as a relay would give them."""
    rows = await pool.fetch(
        f"SELECT {COLUMNS} FROM outbox WHERE key = $1 ORDER BY id",  # noqa: S608 -- a constant
        str(family),
    )
    told = []
    for row in rows:
        event = event_of(row, source="issuer").model_copy(update={"seq": row["id"]})
        name = row["type"].split(".")[2]
        told.append(Recorded(event, name, FIGURES[name](row["data"])))
    return told


def delivered(told: Mapping[str, Sequence[Recorded]], random: Random) -> Iterator[Event]:
    """All events, families interleaved at random; now and then a family's last ones come again."""
    at = dict.fromkeys(told, 0)
    while waiting := [family for family, place in at.items() if place < len(told[family])]:
        family = random.choice(waiting)
        at[family] += 1
        again = random.randint(0, at[family]) if random.random() < 0.2 else 0
        yield told[family][at[family] - 1].event
        yield from (each.event for each in told[family][at[family] - again : at[family]])


async def proven_by(
    revocation: Pool, stream: Iterator[Event], random: Random
) -> set[tuple[UUID, str]]:
    """Which event proved which rule, with the detector's memory in its own database."""
    proven: set[tuple[UUID, str]] = set()
    events = list(stream)
    while events:
        size = random.randint(1, 12)
        batch, events = events[:size], events[size:]
        async with transaction(revocation) as connection:
            for judged in await judge_families(connection, batch):
                verdict = judged.verdict
                rule = str(verdict.rule) if isinstance(verdict, Anomaly) else "reuse"
                proven.add((judged.event.id, rule))
    return proven
