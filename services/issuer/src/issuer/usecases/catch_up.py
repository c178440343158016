"""A restored database takes over from the log what it has forgotten, before it issues anything."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from issuer.store import cuts, missing
from issuer.store.cuts import cut_selector
from issuer.store.missing import Activity, Retired, Started, Told, ToldCut, Withdrawn
from messaging import level
from revocast_contracts.activity import (
    AccountDisabled,
    AccountPasswordSet,
    ClientChanged,
    ConsentWithdrawn,
    SessionEnded,
    SigningKeyRetired,
)
from revocast_contracts.envelope import Data, Event
from revocast_contracts.lifecycle import (
    ClientDisabled,
    EndCause,
    FamilyEnded,
    KillApplied,
    TokenIssued,
    TokenPresentedStale,
    TokenReplayed,
    TokenRevoked,
    TokenRotated,
)
from revocast_contracts.selectors import Selector, SelectorKind, subject_hash
from servicekit.postgres import Connection


class CatchUp:
    """The issuer's part of `messaging.follower.Follower`."""

    def __init__(self, issuer: str, *, hash_key: bytes) -> None:
        self._issuer = issuer
        self._hash_key = hash_key

    async def is_level(self, connection: Connection) -> bool:
        """Whether the database may issue."""
        return await level.is_level(connection)

    async def behind(self, connection: Connection) -> None:
        """Stop issuing."""
        await missing.begin_catching_up(connection)

    async def catch_up(self, connection: Connection, events: Sequence[Event]) -> None:
        """Take over events, each shard's in its order; again changes nothing."""
        started = [found for event in events if (found := self._started(event))]
        await missing.take_over_families(connection, started, told_of_families(events))
        made = [cut for event in events if (cut := _cut(event.data))]
        await missing.take_over_cuts(connection, made)
        await missing.take_over_activity(connection, activity(events))

    async def lost(self, connection: Connection, *, epoch: int) -> None:
        """Nobody knows which tokens are spent: everything from before this moment is dead."""
        await cuts.apply_kill(
            connection,
            kill_id=f"restored:{epoch}",
            selector=Selector(kind=SelectorKind.ISSUER, value=self._issuer),
            correlation_id=f"restored-{epoch}",
        )

    async def level(self, connection: Connection) -> None:
        """Issue again."""
        await level.note_level(connection)

    def _started(self, event: Event) -> Started | None:
        data = event.data
        if not isinstance(data, TokenIssued) or data.family is None or data.session is None:
            return None
        return Started(
            family=UUID(data.family),
            client_id=data.client_id,
            sub=UUID(data.sub),
            subject_hash=subject_hash(data.sub, self._hash_key),
            session=UUID(data.session),
            shard=event.shard,
            at=event.time,
            scope=data.scope,
            resource=data.aud[0],
            exp=data.exp,
        )


def told_of_families(events: Sequence[Event]) -> list[Told]:
    """What events say of each family, all of them together."""
    families: dict[UUID, Told] = {}
    for event in events:
        match event.data:
            case TokenRotated() | TokenReplayed() | TokenPresentedStale() | FamilyEnded() as data:
                family = UUID(data.family)
                _tell(families.setdefault(family, Told(family=family)), data, event.time)
    return list(families.values())


def _tell(told: Told, data: Data, at: datetime) -> None:
    match data:
        case TokenRotated() if data.generation > told.generation:
            told.generation, told.rotated_at, told.exp = data.generation, at, data.exp
        case TokenReplayed() if (data.generation, data.replay) > (told.replayed, told.replays):
            told.replayed, told.replays = data.generation, data.replay
            told.exp = max(told.exp or data.exp, data.exp)
        case TokenPresentedStale():
            told.cause, told.ended_at = told.cause or EndCause.REUSE.value, data.ended_at
        case FamilyEnded():
            told.cause, told.ended_at = told.cause or str(data.cause), data.ended_at


def _cut(data: Data) -> ToldCut | None:
    match data:
        case KillApplied():
            selector = cut_selector(data.selector)
            return ToldCut(kill_id=data.kill_id, selector=selector, at=data.applied_at)
        case TokenRevoked():
            name = f"jti:{data.jti_hash}"
            return ToldCut(kill_id=name, selector=name, at=data.revoked_at)
        case ClientDisabled():
            selector = f"client:{data.client_id}"
            return ToldCut(
                kill_id=f"disabled:{selector}",
                selector=selector,
                at=data.disabled_at,
                lasting=True,
            )
        case _:
            return None


def activity(events: Sequence[Event]) -> Activity:
    """What people and operators did, of what has to be done again."""
    done = Activity()
    for event in events:
        _note_person(done, event.data, event.time)
        _note_operator(done, event.data, event.time)
    return done


def _note_person(done: Activity, data: Data, at: datetime) -> None:
    match data:
        case SessionEnded(session=session):
            done.sessions.append(UUID(session))
        case ConsentWithdrawn(sub=sub, client_id=client_id):
            done.consents.append(Withdrawn(subject=UUID(sub), client_id=client_id, at=at))


def _note_operator(done: Activity, data: Data, at: datetime) -> None:
    match data:
        case ClientChanged(client_id=client_id, changed=changed):
            if "secret" in changed:
                done.secrets.append(client_id)
            if "disabled" in changed:
                done.enabled.append((client_id, at))
        case AccountPasswordSet(sub=sub):
            done.passwords.append(UUID(sub))
        case AccountDisabled(sub=sub):
            done.accounts.append(UUID(sub))
        case SigningKeyRetired(kid=kid):
            done.keys.append(Retired(kid=kid, at=at))
