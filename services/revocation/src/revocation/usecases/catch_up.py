"""A restored database takes over from the log what it has forgotten: entries and kills."""

from collections.abc import Sequence

from messaging import level
from revocast_contracts.envelope import Event
from revocast_contracts.lifecycle import KillApplied
from revocast_contracts.revocations import EntryState, RevocationEntry
from revocast_contracts.signals import KillCompleted, KillDecided
from revocation.store import entries, kills
from revocation.store.entries import CausedEntry
from revocation.store.kills import Kill
from revocation.usecases.complete_kills import Applied, complete_kills
from revocation.usecases.decide_kill import request_sha256
from servicekit.postgres import Connection


class CatchUp:
    """This service's part of `messaging.follower.Follower`.

    What the issuer said is read again from `token-lifecycle`, for the positions were restored too.
    """

    async def is_level(self, connection: Connection) -> bool:
        """Whether the database has all that it once published."""
        return await level.is_level(connection)

    async def behind(self, connection: Connection) -> None:
        """No snapshot is whole until `level`."""
        await level.forget_level(connection)

    async def catch_up(self, connection: Connection, events: Sequence[Event]) -> None:
        """Take over events without telling them again; again changes nothing."""
        await kills.decide(connection, _kills(events))
        caused: dict[str, CausedEntry] = {}
        for event in events:
            if isinstance(event.data, RevocationEntry):
                known = caused.get(event.data.entry_id)
                if known is None or known.entry.state is EntryState.PENDING:
                    caused[event.data.entry_id] = CausedEntry(
                        entry=event.data, correlation_id=event.correlationid
                    )
        await entries.take_over(connection, list(caused.values()))
        completed = {
            event.data.kill_id: event.data.applied_at
            for event in events
            if isinstance(event.data, KillCompleted)
        }
        await kills.complete(connection, completed)

    async def lost(self, connection: Connection, *, epoch: int) -> None:
        """Nothing more: what the log does not hold any more has expired, or was compacted away."""

    async def level(self, connection: Connection) -> None:
        """Complete the kills whose completion was heard while they were unknown."""
        async with connection.transaction():
            applied = await entries.applied_of_open_kills(connection)
            await complete_kills(
                connection,
                [
                    Applied(
                        kill=KillApplied(
                            kill_id=one.entry.entry_id,
                            selector=one.entry.selector,
                            applied_at=entries.applied_at(one.entry),
                        ),
                        correlation_id=one.correlation_id,
                    )
                    for one in applied
                ],
            )
        await level.note_level(connection)


def _kills(events: Sequence[Event]) -> list[Kill]:
    """Decisions; the idempotency key of a request is not told, and so is forgotten."""
    return [
        Kill(
            id=event.data.kill_id,
            selector=event.data.selector,
            cause=event.data.cause,
            actor=event.data.actor,
            reason=event.data.reason,
            decided_at=event.time,
            applied_at=None,
            correlation_id=event.correlationid,
            request_sha256=request_sha256(event.data.selector, event.data.reason),
        )
        for event in events
        if isinstance(event.data, KillDecided)
    ]
