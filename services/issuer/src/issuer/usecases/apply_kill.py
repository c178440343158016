"""A kill becomes a cut: nothing older of its selector is minted again."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from issuer.store import cuts
from messaging.level import require_level
from revocast_contracts.lifetimes import ENTRY_LIFETIME, PENDING_RESENT
from revocast_contracts.revocations import EntryState, RevocationEntry
from servicekit.postgres import Pool, transaction

_log = structlog.get_logger()

STILL_WAITING = 2 * PENDING_RESENT + timedelta(seconds=30)
"""A pending entry sent longer ago was answered since, or would have been sent again."""


async def apply_kill(
    pool: Pool, entry: RevocationEntry, *, correlation_id: str, poke: Callable[[], None]
) -> None:
    """Apply a pending entry, once per entry id, and answer it; an applied one needs nothing.

    Answer and log carry the id of what caused the kill: an operator's request, or a theft.
    After a restart the log shows old pending entries again: those that were applied before are not
    answered a second time, unless somebody still waits for the answer.

    Raises:
        CannotConnectNowError: the database was restored, and may have forgotten this kill.
    """
    if entry.state is not EntryState.PENDING:
        return
    async with pool.acquire() as connection:
        known = await cuts.is_applied(connection, kill_id=entry.entry_id)
    sent_at = entry.expires_at - ENTRY_LIFETIME
    if known and datetime.now(UTC) - sent_at > STILL_WAITING:
        return
    async with transaction(pool) as connection:
        await require_level(connection)
        await cuts.apply_kill(
            connection,
            kill_id=entry.entry_id,
            selector=entry.selector,
            correlation_id=correlation_id,
        )
    poke()
    if not known:
        _log.info(
            "kill applied",
            kill=entry.entry_id,
            selector=entry.selector.kind.value,
            correlation_id=correlation_id,
        )
