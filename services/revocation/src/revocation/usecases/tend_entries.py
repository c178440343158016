"""Upkeep by one replica at a time: pending entries are sent again, old rows are forgotten."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import NoReturn

from revocast_contracts.lifetimes import ENTRY_LIFETIME, PENDING_RESENT, SKEW
from revocation.store import entries, kills, lineages, upkeep
from servicekit.postgres import Connection, Pool, transaction

BATCH = 1000
"""So many rows go in one commit, so that no lock is held for long."""

KILLS_KEPT = timedelta(days=30)
"""How long an idempotency key is remembered, and a kill can be asked after."""

ENDED_LINEAGES_KEPT = timedelta(days=1)
"""The events of a family that ended stop; a day covers whatever comes late."""

SILENT_LINEAGES_KEPT = timedelta(days=30)
"""Longer than most families idle; one that speaks again is judged without its history."""


LOOKED_AT_EVERY = timedelta(seconds=5)
"""How late a pending entry may be sent again."""

FORGOTTEN_EVERY = timedelta(minutes=10)
"""Expired rows harm nobody; they only take space."""


async def tend(pool: Pool, *, poke: Callable[[], None]) -> NoReturn:
    """Do the upkeep for ever."""
    loop = asyncio.get_running_loop()
    forgotten_at = -math.inf
    while True:
        while await resend_pending(pool, poke=poke) == BATCH:
            pass
        if loop.time() - forgotten_at > FORGOTTEN_EVERY.total_seconds():
            await forget(pool)
            forgotten_at = loop.time()
        await asyncio.sleep(LOOKED_AT_EVERY.total_seconds())


async def resend_pending(pool: Pool, *, poke: Callable[[], None]) -> int:
    """Send again what no issuer has applied for a minute; how many entries."""
    async with transaction(pool) as connection:
        if not await upkeep.is_ours(connection):
            return 0
        sent = await entries.resend_pending(
            connection, older_than=PENDING_RESENT, lifetime=ENTRY_LIFETIME, limit=BATCH
        )
    if sent:
        poke()
    return sent


async def forget(pool: Pool) -> None:
    """Delete what nobody needs any more, in transactions of `BATCH` rows of one table."""
    for step in (
        partial(entries.forget_expired, longer_ago=SKEW, limit=BATCH),
        partial(kills.forget, decided_before=KILLS_KEPT, limit=BATCH),
        partial(
            lineages.forget,
            ended_for=ENDED_LINEAGES_KEPT,
            silent_for=SILENT_LINEAGES_KEPT,
            limit=BATCH,
        ),
    ):
        while await _forget_some(pool, step) == BATCH:
            pass


async def _forget_some(pool: Pool, step: Callable[[Connection], Awaitable[int]]) -> int:
    async with transaction(pool) as connection:
        return await step(connection) if await upkeep.is_ours(connection) else 0
