"""When a refused client is told so, on the event loop that the service runs on."""

import asyncio
import statistics
import time

import pytest
import uvloop

from issuer.usecases.authenticate_client import REFUSED_AFTER, rest_until

TRIES = 60
WORK = [0.0012, 0.0017, 0.0023]
"""Seconds that a look-up may take: parts of a millisecond in which timers round another way."""


async def _took(work: float) -> float:
    began = time.monotonic()
    while time.monotonic() < began + work:
        pass
    await rest_until(began + REFUSED_AFTER.total_seconds())
    return time.monotonic() - began


async def _medians() -> list[float]:
    figures = [[await _took(work) for work in WORK] for _ in range(TRIES)]
    return [statistics.median(each) for each in zip(*figures, strict=True)]


def test_a_refusal_ends_at_the_same_moment_whatever_the_work() -> None:
    """A timer's whole milliseconds do not tell by their rounding how long the look-up took."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        short, *longer = runner.run(_medians())
    assert longer == pytest.approx([short] * len(longer), rel=0.01)
