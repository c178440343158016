"""The issuer applied kills: their entries get their final word, once."""

from collections.abc import Sequence
from dataclasses import dataclass

from messaging import outbox
from revocast_contracts.envelope import Draft
from revocast_contracts.lifecycle import KillApplied
from revocast_contracts.lifetimes import ENTRY_LIFETIME
from revocast_contracts.revocations import EntryCause, EntryState, RevocationEntry
from revocast_contracts.selectors import SelectorKind
from revocast_contracts.signals import KillCompleted
from revocast_contracts.topics import SECURITY_SIGNALS
from revocation.domain.entries import completed_signal_id
from revocation.store import entries, kills
from revocation.store.entries import CausedEntry
from servicekit.postgres import Connection

HAVE_NOT_BEFORE = {SelectorKind.SUBJECT, SelectorKind.CLIENT, SelectorKind.ISSUER}
"""These live on and get new tokens; a family, a session or a token does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """The issuer's word that it applied a kill, and the correlation id it came with."""

    kill: KillApplied
    correlation_id: str


async def complete_kills(connection: Connection, applied: Sequence[Applied]) -> list[str]:
    """Complete kills; the ids of those that were not completed before.

    The signal goes on under the correlation id of the request that was decided. A kill that this
    database does not know (it was restored) still gets its applied entry.
    """
    if not applied:
        return []
    first: dict[str, Applied] = {}
    for one in applied:
        first.setdefault(one.kill.kill_id, one)
    moments = {kill_id: one.kill.applied_at for kill_id, one in first.items()}
    completed = await kills.complete(connection, moments)
    for kill in sorted(completed, key=lambda kill: kill.id):
        one = first[kill.id]
        selector = str(one.kill.selector)
        signal = Draft(
            id=completed_signal_id(kill.id),
            key=selector,
            subject=selector,
            time=one.kill.applied_at,
            correlation_id=kill.correlation_id,
            data=KillCompleted(
                kill_id=kill.id, selector=kill.selector, applied_at=one.kill.applied_at
            ),
        )
        await outbox.append(connection, SECURITY_SIGNALS, signal)
    caused = [_entry(one) for one in first.values()]
    await entries.apply(connection, caused)
    await entries.add(connection, caused)
    return [kill.id for kill in completed]


def _entry(applied: Applied) -> CausedEntry:
    kill = applied.kill
    entry = RevocationEntry(
        entry_id=kill.kill_id,
        selector=kill.selector,
        state=EntryState.APPLIED,
        not_before=kill.applied_at if kill.selector.kind in HAVE_NOT_BEFORE else None,
        expires_at=kill.applied_at + ENTRY_LIFETIME,
        cause=EntryCause.KILL,
    )
    return CausedEntry(entry=entry, correlation_id=applied.correlation_id)
