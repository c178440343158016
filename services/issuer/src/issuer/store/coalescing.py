"""Concurrent calls become one statement and one commit; each caller gets its own outcome.

While statements are in flight, arriving calls gather, one queue for each family. A call that waited
too long is refused before it reaches SQL, and a family that somebody else holds is asked for again
a moment later, so that it never stalls its neighbours. Whatever happens, every caller is answered.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar
from uuid import UUID

import asyncpg
import structlog

from issuer.store.database_clock import STATEMENT_SECONDS, DatabaseClock
from issuer.store.rotations import Outcome, Presentation, Rotation, rotate
from servicekit.postgres import Connection, Pool

LARGEST_BATCH = 64
"""Calls in one statement: past this a batch takes longer than it saves."""

IN_FLIGHT = 1
"""Statements at a time. With two each commit is shared by half as many, which costs a tenth of the
refreshes per CPU-second and makes nobody's answer earlier (measured with 16 clients)."""

LONGEST_WAIT_MS = 2000
"""A client that waited this long has given up; deciding for it would only spend its token."""

LOCKED_SECONDS = (0.002, 0.05)
"""How soon a family that another transaction holds is asked for again, at first and at last."""

_log = structlog.get_logger()
T = TypeVar("T")


class OutcomeUnknownError(Exception):
    """Nobody knows whether the statement committed. The client's retry is safe by grace."""


class OverloadedError(Exception):
    """The call waited too long in this process; nothing was decided for it."""


@dataclass(slots=True)
class _Call:
    presentation: Presentation
    arrived: float
    answer: asyncio.Future[Rotation]
    tries: int = 0

    @property
    def family(self) -> UUID:
        return self.presentation.token.family

    @property
    def waited_ms(self) -> int:
        return int((time.monotonic() - self.arrived) * 1000)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)

    def is_due(self) -> bool:
        """Whether somebody still waits for it; whoever waited too long is told so."""
        if self.waited_ms > LONGEST_WAIT_MS:
            self.fail(OverloadedError())
        return not self.answer.done()

    def answered_by(self, rotation: Rotation) -> bool:
        """Pass on what was decided, unless nothing was: the family is held by somebody else."""
        if rotation.outcome is Outcome.LOCKED:
            return False
        if not self.answer.done():
            self.answer.set_result(rotation)
        return True


@dataclass(slots=True)
class Coalescer:
    """Gathers rotations. `committed` is called after each commit: it pokes the relay.

    `_queues` has the calls of each family, `_ready` the families whose next call may go; a family
    in the air is in neither's way, since it becomes ready again when it has landed.
    """

    pool: Pool
    active_key: str
    committed: Callable[[], None]
    clock: DatabaseClock
    _queues: dict[UUID, deque[_Call]] = field(default_factory=dict)
    _ready: deque[UUID] = field(default_factory=deque)
    _flights: set[asyncio.Task[None]] = field(default_factory=set)

    async def rotate(self, presentation: Presentation, came: float | None = None) -> Rotation:
        """The outcome of one presentation; `came`: when the request was read (monotonic).

        Raises:
            OverloadedError: it waited longer than `LONGEST_WAIT_MS`, and nothing was decided.
            OutcomeUnknownError: the connection was lost while its statement ran.
        """
        loop = asyncio.get_running_loop()
        arrived = time.monotonic() if came is None else came
        call = _Call(presentation, arrived, loop.create_future())
        queue = self._queues.setdefault(call.family, deque())
        queue.append(call)
        if len(queue) == 1:
            self._ready.append(call.family)
            loop.call_soon(self._take_off)
        return await call.answer

    def _take_off(self) -> None:
        while len(self._flights) < IN_FLIGHT and (batch := self._next_batch()):
            flight = asyncio.get_running_loop().create_task(self._fly(batch))
            self._flights.add(flight)
            flight.add_done_callback(self._land)

    def _land(self, flight: asyncio.Task[None]) -> None:
        self._flights.discard(flight)
        if flight.cancelled():
            return
        if (error := flight.exception()) is not None:
            _log.error("rotation failed", exc_info=error)
        self._take_off()

    def _next_batch(self) -> list[_Call]:
        """The next call of each family that is ready; it stays at the head of its queue."""
        batch: list[_Call] = []
        while self._ready and len(batch) < LARGEST_BATCH:
            family = self._ready.popleft()
            queue = self._queues[family]
            while queue and not queue[0].is_due():
                queue.popleft()
            if queue:
                batch.append(queue[0])
            else:
                del self._queues[family]
        return batch

    async def _fly(self, batch: list[_Call]) -> None:
        locked: list[_Call] = []
        try:
            locked = await self._send(batch)
        except _NothingDecidedError:
            for call in batch:
                if call.is_due():
                    locked += await self._send([call])
        finally:
            for call in batch:
                if call in locked:
                    self._ask_again(call)
                else:
                    self._done_with(call)

    def _done_with(self, call: _Call) -> None:
        call.fail(OutcomeUnknownError("stopped"))
        queue = self._queues[call.family]
        queue.popleft()
        if queue:
            self._ready.append(call.family)
        else:
            del self._queues[call.family]

    def _ask_again(self, call: _Call) -> None:
        soonest, latest = LOCKED_SECONDS
        pause = min(latest, soonest * 2**call.tries)
        call.tries += 1

        def ready() -> None:
            self._ready.append(call.family)
            self._take_off()

        asyncio.get_running_loop().call_later(pause, ready)

    async def _send(self, calls: Sequence[_Call]) -> list[_Call]:
        """Send one statement and answer its calls, but for those that are given back as locked.

        Raises:
            _NothingDecidedError: it failed as a whole, and calls may be good one by one.
        """
        try:
            outcomes = await self._decide(calls)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            if len(calls) > 1 and is_undecided(error):
                raise _NothingDecidedError from error
            _fail(calls, error)
            return []
        return [call for call in calls if not call.answered_by(outcomes[call.family])]

    async def _decide(self, calls: Sequence[_Call]) -> dict[UUID, Rotation]:
        async def statement(connection: Connection) -> dict[UUID, Rotation]:
            presented = [(call.presentation, call.waited_ms) for call in calls]
            with self.clock.deadline(waited_ms=max(ms for _, ms in presented)) as latest:
                return await rotate(
                    connection, presented, active_key=self.active_key, not_after=latest
                )

        outcomes = await in_time(self.pool, statement, late=partial(_fail, calls))
        wake(self.committed)  # before anybody builds an answer
        for each in outcomes.values():
            if each.decided_at is not None:
                self.clock.heard(each.decided_at)
                break
        return outcomes


class _NothingDecidedError(Exception):
    """Postgres reported an error before it could commit."""


async def in_time(
    pool: Pool,
    statement: Callable[[Connection], Awaitable[T]],
    *,
    late: Callable[[Exception], None],
) -> T:
    """What a statement answers, on a connection of the pool.

    Raises:
        TimeoutError: not within `STATEMENT_SECONDS`; `late` heard of it at once, for giving the
            connection up may take as long again.
    """
    async with pool.acquire(timeout=STATEMENT_SECONDS) as connection:
        try:
            async with asyncio.timeout(STATEMENT_SECONDS):
                return await statement(connection)
        except TimeoutError as error:
            late(error)
            raise


def wake(relay: Callable[[], None]) -> None:
    """Tell the relay of a commit."""
    try:
        relay()
    except Exception:  # noqa: BLE001 -- what was decided is decided, whatever the relay does
        _log.exception("the relay was not woken")


def _fail(calls: Sequence[_Call], error: Exception) -> None:
    for call in calls:
        call.fail(OutcomeUnknownError(type(error).__name__))


def is_undecided(error: Exception) -> bool:
    """Whether a statement that failed so can't have committed.

    Class 08 is a lost connection and 57P a server going down: both leave the outcome open.
    """
    if isinstance(error, asyncpg.InterfaceError):
        return isinstance(error, ValueError)  # a value that asyncpg could not even send
    state = (isinstance(error, asyncpg.PostgresError) and error.sqlstate) or ""
    return bool(state) and not state.startswith(("08", "57P"))
