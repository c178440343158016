"""Results as they are kept: one JSON file for each visit to a system, read again for the report."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from bench.peers.system import BENCH

DIRECTORY = BENCH / "peers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One run: operations a second and a CPU-second, latencies in ms, cores used by process.

    `wal_bytes` were written to PostgreSQL's log for each operation, by whatever ran there;
    `signatures` were checked.
    """

    operation: str
    clients: int
    per_second: float
    per_cpu_second: float
    p50_ms: float
    p99_ms: float
    cores: dict[str, float]
    wal_bytes: float
    signatures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A system from its start to its end. `warm_up` are operations a CPU-second until it stopped
    rising; `settings` are PostgreSQL's; `commit` is ours."""

    system: str
    version: str
    at: str
    commit: str
    machine: str
    settings: dict[str, str]
    seconds: float
    warm_up: list[float]
    figures: list[Figure]


def keep(visit: Visit) -> None:
    """Write it beside the earlier ones."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    name = f"{visit.at.replace(':', '')}-{visit.system}.json"
    (DIRECTORY / name).write_text(json.dumps(asdict(visit), indent=1) + "\n")


def kept() -> list[Visit]:
    """All visits, the oldest first."""
    return [_visit(json.loads(path.read_text())) for path in sorted(DIRECTORY.glob("*.json"))]


def forget() -> None:
    """Begin anew."""
    for path in DIRECTORY.glob("*.json"):
        path.unlink()


def _visit(members: dict[str, Any]) -> Visit:
    figures = [Figure(**figure) for figure in members.pop("figures")]
    return Visit(**members, figures=figures)
