"""Waiting for the issuer: a kill's row is polled; a completion in this process wakes at once."""

import asyncio
from collections.abc import Iterable

from revocation.store import kills
from revocation.store.kills import Kill
from servicekit.postgres import Pool

FIRST_POLL_SECONDS = 0.005
LONGEST_POLL_SECONDS = 0.1
"""How often a row is read while another replica may complete it: often at first, since an issuer
that is up answers within tens of milliseconds."""


class Completions:
    """Who in this process waits for which kill."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}

    def completed(self, kill_ids: Iterable[str]) -> None:
        """Wake those who wait for these kills; they read the rows themselves."""
        for kill_id in kill_ids:
            for event in self._waiting.get(kill_id, ()):
                event.set()

    async def wait(self, pool: Pool, kill: Kill, *, seconds: float) -> Kill:
        """The kill as it is once it is applied, or after `seconds`."""
        if kill.applied_at is not None:
            return kill
        event = asyncio.Event()
        self._waiting.setdefault(kill.id, set()).add(event)
        try:
            async with asyncio.timeout(seconds):
                return await _applied(pool, kill.id, event)
        except TimeoutError:
            return kill
        finally:
            waiting = self._waiting[kill.id]
            waiting.discard(event)
            if not waiting:
                del self._waiting[kill.id]


async def _applied(pool: Pool, kill_id: str, woken: asyncio.Event) -> Kill:
    pause = FIRST_POLL_SECONDS
    while True:
        async with pool.acquire() as connection:
            kill = await kills.read(connection, kill_id)
        if kill is not None and kill.applied_at is not None:
            return kill
        pause = FIRST_POLL_SECONDS if woken.is_set() else min(2 * pause, LONGEST_POLL_SECONDS)
        woken.clear()
        try:
            await asyncio.wait_for(woken.wait(), pause)
        except TimeoutError:
            continue
