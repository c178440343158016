"""Refused guesses at secrets and tokens: slowed down per client, told once a minute with a count.

Both are kept in this process: what is guessed has 256 random bits, so the limit only has to stop a
client that hammers, and a count in the database would let strangers make it write.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from messaging import outbox
from revocast_contracts.activity import GuessCounted
from revocast_contracts.envelope import Draft
from revocast_contracts.topics import ISSUER_ACTIVITY
from servicekit.postgres import Pool, transaction

FREE = 20
"""Wrong secrets in a row that are answered like any other: a deployment with a stale one."""

PER_SECOND = 0.5
"""After that, so many are answered a second; the others are told to stop."""

MOST = 10_000
"""Client ids that are counted at a time; ids nobody registered come from strangers, too."""

TOLD_EVERY_SECONDS = 60.0


@dataclass(slots=True)
class Guesses:
    """Counts for one process. Only guesses at clients that exist are told.

    `poke` wakes this process's relay; `clock` gives seconds that never go back.
    """

    pool: Pool
    poke: Callable[[], None] = lambda: None
    clock: Callable[[], float] = time.monotonic
    _told: Counter[tuple[str, str]] = field(default_factory=Counter)
    _left: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)

    def note(self, client_id: str, kind: str, *, known: bool = True) -> int | None:
        """Count one; how many seconds to wait when there were too many."""
        if known:
            self._told[client_id, kind] += 1
        now = self.clock()
        if len(self._left) >= MOST:
            self._left.clear()
        left, at = self._left.get((client_id, kind), (float(FREE), now))
        left = min(FREE, left + (now - at) * PER_SECOND)
        self._left[client_id, kind] = (max(0.0, left - 1), now)
        return None if left >= 1 else max(1, round((1 - left) / PER_SECOND))

    async def tell_each_minute(self) -> None:
        """Write what was counted to the outbox, for ever; runs beside the API."""
        while True:
            await asyncio.sleep(TOLD_EVERY_SECONDS)
            await self.tell()

    async def tell(self) -> None:
        """Write what was counted so far, and begin anew."""
        counted, self._told = self._told, Counter()
        if not counted:
            return
        minute = datetime.now(UTC).replace(second=0, microsecond=0)
        try:
            async with transaction(self.pool) as connection:
                for (client_id, kind), count in sorted(counted.items()):
                    data = GuessCounted(client_id=client_id, kind=kind, count=count, minute=minute)
                    draft = Draft(
                        key=client_id,
                        subject=client_id,
                        time=minute,
                        correlation_id="guesses",
                        data=data,
                    )
                    await outbox.append(connection, ISSUER_ACTIVITY, draft)
        except BaseException:
            self._told += counted
            raise
        self.poke()
