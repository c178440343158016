"""Concurrent calls become one statement and one commit; each caller gets its own outcome.

While a statement is in flight, arriving calls gather. A call that waited too long in this process
is refused before it reaches SQL, and one slow family never stalls its neighbours: locked rows are
skipped and sent alone.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg

from issuer.store.rotations import Outcome, Presentation, Rotation, rotate
from servicekit.postgres import Pool

LARGEST_BATCH = 64
"""Calls in one statement: past this a batch takes longer than it saves."""

IN_FLIGHT = 2
"""Statements at a time: one commits while the next one is decided."""

LONGEST_WAIT_MS = 2000
"""A client that waited this long has given up; deciding for it would only spend its token."""

STATEMENT_SECONDS = 5.0
"""Past this the outcome of a statement is unknown and the callers are told to try again."""


class OutcomeUnknownError(Exception):
    """Nobody knows whether the statement committed. The client's retry is safe by grace."""


class OverloadedError(Exception):
    """The call waited too long in this process; nothing was sent to the database."""


@dataclass(slots=True)
class _Call:
    presentation: Presentation
    arrived: float
    answer: asyncio.Future[Rotation]

    @property
    def family(self) -> UUID:
        return self.presentation.token.family


@dataclass(slots=True)
class Coalescer:
    """Gathers rotations. `committed` is called after each commit: it pokes the relay."""

    pool: Pool
    active_key: str
    committed: Callable[[], None]
    _waiting: list[_Call] = field(default_factory=list)
    _flights: set[asyncio.Task[None]] = field(default_factory=set)

    async def rotate(self, presentation: Presentation) -> Rotation:
        """The outcome of one presentation.

        Raises:
            OverloadedError: it waited longer than `LONGEST_WAIT_MS` before its statement began.
            OutcomeUnknownError: the connection was lost while its statement ran.
        """
        loop = asyncio.get_running_loop()
        call = _Call(presentation, time.monotonic(), loop.create_future())
        self._waiting.append(call)
        if len(self._flights) < IN_FLIGHT:
            loop.call_soon(self._take_off)
        return await call.answer

    def _take_off(self) -> None:
        while self._waiting and len(self._flights) < IN_FLIGHT:
            flight = asyncio.get_running_loop().create_task(self._fly(self._next_batch()))
            self._flights.add(flight)
            flight.add_done_callback(self._land)

    def _land(self, flight: asyncio.Task[None]) -> None:
        self._flights.discard(flight)
        self._take_off()

    def _next_batch(self) -> list[_Call]:
        batch: dict[UUID, _Call] = {}
        left: list[_Call] = []
        for call in self._waiting:
            if len(batch) < LARGEST_BATCH and call.family not in batch:
                batch[call.family] = call
            else:
                left.append(call)
        self._waiting = left
        return list(batch.values())

    async def _fly(self, batch: list[_Call]) -> None:
        due = [call for call in batch if not self._overdue(call)]
        if not due:
            return
        alone = await self._send(due, skip_locked=len(due) > 1)
        await asyncio.gather(*(self._send([call], skip_locked=False) for call in alone))

    def _overdue(self, call: _Call) -> bool:
        if call.answer.done():
            return True
        overdue = _waited_ms(call) > LONGEST_WAIT_MS
        if overdue:
            call.answer.set_exception(OverloadedError())
        return overdue

    async def _send(self, calls: Sequence[_Call], *, skip_locked: bool) -> list[_Call]:
        """Send one statement; give back the calls that must go alone."""
        try:
            outcomes = await self._decide(calls, skip_locked=skip_locked)
        except asyncpg.PostgresError as error:
            if _reported_before_commit(error) and len(calls) > 1:
                return list(calls)
            _fail(calls, OutcomeUnknownError(type(error).__name__))
            return []
        except (asyncpg.InterfaceError, OSError, TimeoutError) as error:
            _fail(calls, OutcomeUnknownError(type(error).__name__))
            return []
        except asyncio.CancelledError:
            _fail(calls, OutcomeUnknownError("stopped"))
            raise
        self.committed()
        return [call for call in calls if not _answer(call, outcomes[call.family])]

    async def _decide(self, calls: Sequence[_Call], *, skip_locked: bool) -> dict[UUID, Rotation]:
        decide: Awaitable[dict[UUID, Rotation]]
        async with asyncio.timeout(STATEMENT_SECONDS), self.pool.acquire() as connection:
            presented = [(call.presentation, _waited_ms(call)) for call in calls]
            decide = rotate(
                connection, presented, active_key=self.active_key, skip_locked=skip_locked
            )
            return await decide


def _waited_ms(call: _Call) -> int:
    return int((time.monotonic() - call.arrived) * 1000)


def _answer(call: _Call, rotation: Rotation) -> bool:
    if rotation.outcome is Outcome.LOCKED:
        return False
    if not call.answer.done():
        call.answer.set_result(rotation)
    return True


def _fail(calls: Sequence[_Call], error: Exception) -> None:
    for call in calls:
        if not call.answer.done():
            call.answer.set_exception(error)


def _reported_before_commit(error: asyncpg.PostgresError) -> bool:
    """Class 08 is a lost connection and 57P a server going down: both leave the outcome open."""
    state = error.sqlstate or ""
    return bool(state) and not state.startswith(("08", "57P"))
