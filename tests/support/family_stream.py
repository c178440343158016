"""A family's events as the issuer tells them, for the detector: the stream of a family case."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from revocation.domain.detector import Lineage, Observation, Verdict, What, observe
from tests.support.family_cases import FamilyCase, Presentation

HOME = "192.0.2.0/24"
ELSEWHERE = "198.51.100.0/24"


@dataclass(slots=True)
class Stream:
    """Makes observations with rising places, as one relay would."""

    seq: int = 0
    epoch: int = 1
    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def event(self, what: What, generation: int, **more: Any) -> Observation:
        """The next observation; `more` are its other members."""
        self.seq += 1
        self.at += timedelta(milliseconds=1)
        return Observation(
            event_id=uuid4(),
            place=(self.epoch, self.seq),
            at=self.at,
            what=what,
            generation=generation,
            **({"network": HOME} | more),
        )

    def told(self, presented: Presentation) -> Observation | None:
        """The event of a presentation; None where the issuer tells nothing of interest."""
        match presented.outcome:
            case "rotated":
                return self.event(What.ROTATED, presented.current + 1)
            case "replayed":
                return self.event(
                    What.REPLAYED,
                    presented.current,
                    presented=presented.generation,
                    replay=presented.replays + 1,
                    age_ms=presented.age_ms,
                )
            case "stale":
                return self.event(
                    What.PRESENTED_STALE, presented.current, presented=presented.generation
                )
            case "limited" | "denied":
                return None


def stream_of(case: FamilyCase) -> Iterator[tuple[Observation, Presentation | None]]:
    """Every event of a case, in order, with the presentation that caused it."""
    stream = Stream()
    yield stream.event(What.STARTED, 1), None
    for presented in case.presentations:
        told = stream.told(presented)
        if told is not None:
            yield told, presented


def judge(events: Iterable[Observation]) -> tuple[Lineage | None, list[tuple[UUID, Verdict]]]:
    """Run the detector over a stream: the last lineage, and every verdict with its event's id."""
    lineage: Lineage | None = None
    verdicts: list[tuple[UUID, Verdict]] = []
    for event in events:
        lineage, proven = observe(lineage, event)
        verdicts += [(event.event_id, verdict) for verdict in proven]
    return lineage, verdicts
