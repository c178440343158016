"""The two clocks every decision is made with; tests pass their own."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """`wall` is seconds since 1970, as in tokens; `monotonic` is seconds that never go back."""

    wall: Callable[[], float]
    monotonic: Callable[[], float]


SYSTEM_CLOCK = Clock(wall=time.time, monotonic=time.monotonic)
