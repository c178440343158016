"""Waits out the second of a cut: a token of that very second would be dead on arrival."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar


class Decision(Protocol):
    """Any outcome of an issuing statement; `retry_ms` is set when it came within a cut's second."""

    @property
    def retry_ms(self) -> int | None:
        """Milliseconds until a token's whole second is later than the cut's."""


D = TypeVar("D", bound=Decision)

LONGEST_MS = 1100
"""A cut's second lasts no longer. Where the database's clock went back behind a cut it takes more,
and no request is held for that."""


async def wait_for_cut(decide: Callable[[], Awaitable[D]]) -> D:
    """Decide; when that fell into a cut's second, wait until it has passed and decide again."""
    decision = await decide()
    if decision.retry_ms is None or decision.retry_ms > LONGEST_MS:
        return decision
    await asyncio.sleep(decision.retry_ms / 1000)
    return await decide()
