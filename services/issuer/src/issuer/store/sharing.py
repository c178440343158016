"""Concurrent calls of one kind become one statement and one commit, in the order they came in.

For calls that lock no row: unlike rotations (`coalescing`) they can't hold each other up. While a
statement is in flight, arriving calls gather; whatever happens, every caller is answered.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

import asyncpg
import structlog

from issuer.store.coalescing import LARGEST_BATCH, LONGEST_WAIT_MS, in_time, is_undecided, wake
from servicekit.postgres import Connection, Pool

Question = TypeVar("Question")
Answer = TypeVar("Answer")
Decide = Callable[[Connection, Sequence[Question]], Awaitable[Sequence[Answer]]]

_log = structlog.get_logger()


@dataclass(slots=True)
class _Call(Generic[Question, Answer]):
    question: Question
    arrived: float
    answer: asyncio.Future[Answer]

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)

    def is_due(self) -> bool:
        """Whether somebody still waits for it; whoever waited too long is told so."""
        if (time.monotonic() - self.arrived) * 1000 > LONGEST_WAIT_MS:
            self.fail(TimeoutError("waited too long in this process"))
        return not self.answer.done()


@dataclass(slots=True)
class Shared(Generic[Question, Answer]):
    """Gathers calls for `decide`: one statement, that answers its questions in their order.

    `committed` is called after each statement: it pokes the relay where events were written.
    """

    pool: Pool
    decide: Decide[Question, Answer]
    committed: Callable[[], None] = lambda: None
    _waiting: deque[_Call[Question, Answer]] = field(default_factory=deque)
    _flight: asyncio.Task[None] | None = None

    async def ask(self, question: Question) -> Answer:
        """The answer to one question, decided after it was asked.

        Raises:
            UNAVAILABLE: what the database raised, or a TimeoutError after `LONGEST_WAIT_MS` here.
        """
        loop = asyncio.get_running_loop()
        call = _Call[Question, Answer](question, time.monotonic(), loop.create_future())
        self._waiting.append(call)
        if len(self._waiting) == 1:
            loop.call_soon(self._take_off)
        return await call.answer

    def _take_off(self) -> None:
        if self._flight is not None or not (batch := self._next_batch()):
            return
        self._flight = asyncio.get_running_loop().create_task(self._fly(batch))
        self._flight.add_done_callback(self._land)

    def _land(self, flight: asyncio.Task[None]) -> None:
        self._flight = None
        if flight.cancelled():
            return
        if (error := flight.exception()) is not None:
            _log.error("a shared statement failed", exc_info=error)
        self._take_off()

    def _next_batch(self) -> list[_Call[Question, Answer]]:
        batch: list[_Call[Question, Answer]] = []
        while self._waiting and len(batch) < LARGEST_BATCH:
            call = self._waiting.popleft()
            if call.is_due():
                batch.append(call)
        return batch

    async def _fly(self, batch: list[_Call[Question, Answer]]) -> None:
        try:
            if not await self._send(batch):
                for call in batch:
                    if call.is_due():
                        await self._send([call])
        finally:
            _fail(batch, TimeoutError("stopped"))

    async def _send(self, calls: Sequence[_Call[Question, Answer]]) -> bool:
        """Send one statement and answer its calls; False when they may be good one by one."""

        async def statement(connection: Connection) -> Sequence[Answer]:
            return await self.decide(connection, [call.question for call in calls])

        try:
            answers = await in_time(self.pool, statement, late=partial(_fail, calls))
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            if len(calls) > 1 and is_undecided(error):
                return False
            _fail(calls, error)
            return True
        wake(self.committed)  # before anybody builds an answer
        for call, answer in zip(calls, answers, strict=True):
            if not call.answer.done():
                call.answer.set_result(answer)
        return True


def _fail(calls: Sequence[_Call[Question, Answer]], error: Exception) -> None:
    for call in calls:
        call.fail(error)
