"""What a database that is not level with the log takes over from it."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from servicekit.postgres import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A family that was started in the missing time."""

    family: UUID
    client_id: str
    sub: UUID
    subject_hash: str
    session: UUID
    shard: int
    at: datetime
    scope: str
    resource: str
    exp: datetime


@dataclass(slots=True, kw_only=True)
class Told:
    """What the log says of one family; `replays` are of the generation `replayed`."""

    family: UUID
    generation: int = 0
    rotated_at: datetime | None = None
    exp: datetime | None = None
    replayed: int = 0
    replays: int = 0
    cause: str | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldCut:
    """A cut as the log says it."""

    kill_id: str
    selector: str
    at: datetime
    lasting: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """A consent that was taken back."""

    subject: UUID
    client_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Retired:
    """A signing key that stopped signing."""

    kid: str
    at: datetime


@dataclass(slots=True, kw_only=True)
class Activity:
    """What people and operators did."""

    sessions: list[UUID] = field(default_factory=list)
    consents: list[Withdrawn] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    passwords: list[UUID] = field(default_factory=list)
    accounts: list[UUID] = field(default_factory=list)
    keys: list[Retired] = field(default_factory=list)
    enabled: list[tuple[str, datetime]] = field(default_factory=list)


async def begin_catching_up(connection: Connection) -> None:
    """The log is ahead: nothing is issued until `note_level`, and no code is good any more."""
    await connection.execute("SELECT begin_catching_up()")


async def take_over_families(
    connection: Connection, started: Sequence[Started], told: Collection[Told]
) -> None:
    """Families at least where the log has them."""
    if started:
        await connection.execute("SELECT catch_up_started($1)", _rows(started))
    if told:
        await connection.execute("SELECT catch_up_families($1)", _rows(told))


async def take_over_cuts(connection: Connection, cuts: Sequence[ToldCut]) -> None:
    """Cuts under the ids and at the times of the log."""
    if cuts:
        await connection.execute("SELECT catch_up_cuts($1)", _rows(cuts))


async def take_over_activity(connection: Connection, done: Activity) -> None:
    """Sign-outs, withdrawn consents, replaced credentials, retired keys, clients enabled again."""
    if done == Activity():
        return
    await connection.execute(
        "SELECT catch_up_activity($1, $2, $3, $4, $5, $6)",
        done.sessions,
        _rows(done.consents),
        done.secrets,
        done.passwords,
        done.accounts,
        _rows(done.keys),
    )
    for client_id, at in done.enabled:
        await connection.execute("SELECT catch_up_enabled($1, $2)", client_id, at)


def _rows(items: Collection[Any]) -> list[dict[str, Any]]:
    return [{name: _plain(value) for name, value in asdict(item).items()} for item in items]


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
