"""Argon2id, off the event loop, and never more at once than this machine has memory for."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from issuer.domain import password as rules

_Done = TypeVar("_Done")


class BusyError(Exception):
    """Too many passwords wait to be checked; nothing was decided."""


class Passwords:
    """Hashes and verifies. `close()` it.

    The default parameters are RFC 9106's second recommendation (section 4: 3 passes, 64 MiB,
    4 lanes): about a tenth of a second on one core of 2024. `at_once` bounds the memory, `waiting`
    the queue before it, so that a flood of sign-ins costs neither other requests nor the process.
    `computed` counts hash computations: the same for every kind of refusal.
    """

    def __init__(
        self,
        *,
        passes: int = 3,
        memory_kib: int = 64 * 1024,
        lanes: int = 4,
        at_once: int = 2,
        waiting: int = 50,
    ) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=lanes)
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="argon2")
        self._limit = at_once + waiting
        self._inside = 0
        self._nobody = self._hasher.hash(b"nobody has this password")
        self.computed = 0

    async def hash(self, password: str) -> str:
        """A new hash, with its salt and parameters in it.

        Raises:
            BusyError: the queue is full.
            ValueError: the password can't be one (`domain.password.prepare`).
        """
        prepared = rules.prepare(password)
        if prepared is None:
            raise ValueError("not a possible password")
        return await self._run(partial(self._hasher.hash, prepared))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether the password is right. With no hash it does the same work and says no.

        Raises:
            BusyError: the queue is full.
        """
        prepared = rules.prepare(password)
        stored = self._nobody if password_hash is None else password_hash
        matched = await self._run(partial(self._matches, stored, prepared or b"impossible"))
        return matched and password_hash is not None and prepared is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Whether a hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], _Done]) -> _Done:
        if self._inside >= self._limit:
            raise BusyError
        self._inside += 1
        self.computed += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._inside -= 1

    def _matches(self, stored: str, prepared: bytes) -> bool:
        try:
            return self._hasher.verify(stored, prepared)
        except (VerificationError, InvalidHashError):
            return False
