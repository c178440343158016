"""PostgreSQL's disk under load: full, full at a crash, slow at every flush, not answering."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from devstack.errors import DevstackError
from tests.fire.faults import PATIENCE_SECONDS
from tests.fire.history import now
from tests.fire.one_by_one import OneByOne
from tests.support.small_disk import SmallDisk

FULL_SECONDS = 20.0
SLOW_SECONDS = 20.0
CRASHED_SECONDS = 6.0
AGAIN_SECONDS = 0.5
HANGS_SECONDS = 8.0
"""Longer than any client waits, and than a lease."""

FLUSH_MICROSECONDS = 100_000
"""The longest `commit_delay`: with no siblings asked for, every flush of the WAL takes so long, one
after the other, as on a disk that does ten of them a second."""

BOUND_SECONDS = 10.0
"""What issue 4 asks for after a single fault."""


@dataclass(slots=True, kw_only=True)
class BadDisk(OneByOne):
    """Four faults of one disk, all ready again after each."""

    disk: SmallDisk

    async def rage(self) -> None:
        """All of it."""
        await self._calm(now())
        await self._full()
        await self._crashes_while_full()
        await self._slow()
        await self._hangs()

    async def _full(self) -> None:
        self._tell("full", "postgres")
        await asyncio.to_thread(self.disk.fill)
        await asyncio.sleep(FULL_SECONDS)
        died = not self.fleet.alive("postgres")
        self.disk.free()
        self._tell("free", "postgres")
        at = now()
        if died:  # as any supervisor of processes does, and it did before, in vain
            await self._start("postgres")
        how = "it had ended" if died else "it had gone on"
        await self._judge(f"its disk was full for {FULL_SECONDS:.0f} s, {how}", at)

    async def _crashes_while_full(self) -> None:
        """Its recovery finds no space; it is started again and again, as by a supervisor."""
        await asyncio.to_thread(self.disk.fill)
        await self._kill("postgres")
        starting = asyncio.create_task(self._start_until_it_serves())
        await asyncio.sleep(CRASHED_SECONDS)
        in_vain = not starting.done()
        self.disk.free()
        at = now()
        await starting
        how = "recovered when there was space" if in_vain else "recovered all the same"
        await self._judge(f"it crashed on a full disk and {how}", at)

    async def _start_until_it_serves(self) -> None:
        while True:
            try:
                return await self._start("postgres")
            except DevstackError:
                await asyncio.sleep(AGAIN_SECONDS)

    async def _slow(self) -> None:
        self._tell("slow", "postgres")
        await self._set_delay(FLUSH_MICROSECONDS)
        await asyncio.sleep(SLOW_SECONDS)
        await self._set_delay(0)
        self._tell("fast", "postgres")
        took = f"each flush took {FLUSH_MICROSECONDS // 1000} ms for {SLOW_SECONDS:.0f} s"
        await self._judge(took, now())

    async def _hangs(self) -> None:
        self._tell("stop", "postgres")
        with _stopped(self.fleet.servers["postgres"].pid):
            await asyncio.sleep(HANGS_SECONDS)
        self._tell("cont", "postgres")
        await self._judge(f"its processes hung for {HANGS_SECONDS:.0f} s", now())

    async def _set_delay(self, microseconds: int) -> None:
        connection = await asyncpg.connect(self.fleet.system.postgres.dsn, timeout=PATIENCE_SECONDS)
        try:
            await connection.execute("ALTER SYSTEM SET commit_siblings = 0")
            await connection.execute(f"ALTER SYSTEM SET commit_delay = {microseconds:d}")
            await connection.execute("SELECT pg_reload_conf()")
        finally:
            await connection.close()

    async def _judge(self, what: str, at: float) -> None:
        seconds, waited_for = await self._calm(at)
        self.notes.append(f"{what}: all ready {seconds:.2f} s afterwards; last: {waited_for}")
        self.say(self.notes[-1])
        if seconds > BOUND_SECONDS:
            self.unready.append(f"{what}: {seconds:.1f} s, not {BOUND_SECONDS:.0f} s")


@contextmanager
def _stopped(postmaster: int) -> Iterator[None]:
    """All children of the postmaster stand still, whoever waits for the disk first; it lives on."""
    found = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text()
    children = [int(each) for each in found.split()]
    _send(signal.SIGSTOP, children)
    try:
        yield
    finally:
        _send(signal.SIGCONT, children)


def _send(what: signal.Signals, processes: list[int]) -> None:
    for each in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, what)
