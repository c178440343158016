"""Signing out: ends the sign-in, its families and its codes in one transaction."""

from uuid import UUID

from issuer.domain.authorization import Origin
from issuer.store import sessions
from issuer.store.families import end_session_families
from issuer.usecases.people import People, tell
from revocast_contracts.activity import SessionEnded
from revocast_contracts.lifecycle import EndCause
from servicekit.postgres import Connection, transaction


async def end_session(
    people: People, session_id: UUID, subject: UUID, *, origin: Origin, correlation_id: str
) -> None:
    """End a sign-in. A sign-in that expired may still have families: they end, too."""
    async with transaction(people.pool) as connection:
        await end_held_session(
            connection, session_id, subject, origin=origin, correlation_id=correlation_id
        )
    people.poke()


async def end_held_session(
    connection: Connection, session_id: UUID, subject: UUID, *, origin: Origin, correlation_id: str
) -> None:
    """The same inside the caller's transaction. Doing it again changes and says nothing."""
    was_there = await sessions.end(connection, session_id)
    ended = await end_session_families(
        connection,
        session_id,
        cause=EndCause.LOGOUT,
        origin=origin,
        correlation_id=correlation_id,
    )
    if was_there or ended:
        event = SessionEnded(sub=str(subject), session=str(session_id), families_ended=ended)
        await tell(connection, event, about=str(subject), correlation_id=correlation_id)
