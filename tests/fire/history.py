"""What the outside saw, one JSON line each: requests, guards' decisions, faults. Never a token."""

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_WALL_AT_START = time.time() - time.monotonic()


def now() -> float:
    """Seconds since 1970 on a clock that never goes back while this process lives."""
    return _WALL_AT_START + time.monotonic()


def fingerprint(token: str) -> str:
    """Tells two refresh tokens apart and is worth nothing to a thief."""
    return hashlib.sha256(token.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """What a success brought. `successor` is the fingerprint of the refresh token."""

    jti_hash: str
    iat: int
    exp: int
    subject: str
    client: str
    family: str | None = None
    generation: int | None = None
    session: str | None = None
    successor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request of the load and what became of it; `status` None: no answer came.

    `act`: redeem, refresh, double, theft, credentials, revoke, revoke_access, kill. `family` and
    `generation` are of the token presented. `selector` and `applied_at` belong to a kill.
    """

    act: str
    actor: str
    before: float
    after: float
    status: int | None
    error: str | None = None
    where: str = ""
    client: str | None = None
    subject: str | None = None
    family: str | None = None
    generation: int | None = None
    jti_hash: str | None = None
    got: Got | None = None
    kill_id: str | None = None
    selector: str | None = None
    applied_at: float | None = None
    reached: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a guard said of a token: accepted, revoked, unavailable or invalid."""

    guard: str
    before: float
    after: float
    jti_hash: str
    verdict: str
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something done to a process, or seen of it: kill, stop, cont, cut, start, ready, end."""

    act: str
    target: str
    at: float


@dataclass(slots=True)
class History:
    """All of one run. `bounds` is by guard: seconds after which a ready one denies."""

    bounds: dict[str, float] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


class Writer:
    """Appends to the file of a history; nothing is kept in memory but counts."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.lines = 0
        self._file = path.open("w", encoding="utf-8")

    def write(self, what: Request | Decision | Fault) -> None:
        """One line."""
        self._line(type(what).__name__.lower(), asdict(what))

    def bound(self, guard: str, seconds: float) -> None:
        """What a guard promises when it is ready."""
        self._line("bound", {"guard": guard, "seconds": seconds})

    def flush(self) -> None:
        """What was written can be read."""
        self._file.flush()

    def close(self) -> None:
        """Nothing more is written."""
        self._file.close()

    def _line(self, kind: str, members: dict[str, Any]) -> None:
        said = {name: value for name, value in members.items() if value is not None}
        self._file.write(json.dumps({"kind": kind, **said}) + "\n")
        self.lines += 1


def read(path: Path) -> History:
    """The history in a file."""
    history = History()
    for kind, members in _lines(path):
        match kind:
            case "request":
                got = members.pop("got", None)
                seen = {name: value for name, value in (got or {}).items() if value is not None}
                status = members.pop("status", None)
                arrived = Got(**seen) if got else None
                history.requests.append(Request(status=status, got=arrived, **members))
            case "decision":
                history.decisions.append(Decision(**members))
            case "fault":
                history.faults.append(Fault(**members))
            case "bound":
                history.bounds[members["guard"]] = members["seconds"]
    return history


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            members = json.loads(line)
            yield members.pop("kind"), members
