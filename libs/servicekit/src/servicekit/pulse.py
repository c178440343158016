"""Notices that this process stood still: what it reads then may be requests nobody waits for."""

import asyncio
import time
from collections.abc import Callable
from typing import NoReturn

import structlog

BEATS_EVERY_SECONDS = 0.25

STANDSTILL_SECONDS = 2.0
"""Who waited so long has asked elsewhere: a stopped process, a frozen machine, a starved one."""

OLD_FOR_SECONDS = 1.0
"""For so long after a standstill, what is read may have come before its end."""

_log = structlog.get_logger()


class Pulse:
    """Beats on the event loop while `beat` runs.

    Requests that arrive while a process is frozen wait in the kernel, where no clock of ours sees
    them. When it goes on it would decide them, long after their clients retried elsewhere: a
    refresh token among them would look like a thief's.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._beaten_at: float | None = None
        self._old_until = float("-inf")

    async def beat(self) -> NoReturn:
        """Beat until cancelled."""
        while True:
            self.note()
            await asyncio.sleep(BEATS_EVERY_SECONDS)

    def note(self) -> None:
        """One beat; a late one begins the time in which requests may be old."""
        now = self._clock()
        if self._stands_still(now):
            self._old_until = now + OLD_FOR_SECONDS
            _log.warning("this process stood still", seconds=round(now - (self._beaten_at or now)))
        self._beaten_at = now

    def requests_may_be_old(self) -> bool:
        """Whether a request that is read now may have come long ago."""
        now = self._clock()
        return self._stands_still(now) or now < self._old_until

    def _stands_still(self, now: float) -> bool:
        return self._beaten_at is not None and now - self._beaten_at > STANDSTILL_SECONDS
