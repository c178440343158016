"""Load: closed loops, open loops, and what came out of them.

In an open loop a request's latency counts from the moment it was due, not from when it could be
sent: a server that stalls is charged for everything that had to wait (coordinated omission).
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.cpu import cpu_seconds

Operation = Callable[[], Awaitable[None]]
"""One checked operation; it raises when the answer is not what it has to be."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run gave: operations a second, latencies in ms (sorted), CPU seconds by process."""

    seconds: float
    latencies: list[float]
    cpu: dict[str, float]

    @property
    def rate(self) -> float:
        """Operations a second."""
        return len(self.latencies) / self.seconds

    @property
    def per_cpu_second(self) -> float:
        """Operations a CPU-second of all processes named."""
        return len(self.latencies) / sum(self.cpu.values())

    def percentile(self, percent: int) -> float:
        """A latency in milliseconds."""
        return statistics.quantiles(self.latencies, n=100, method="inclusive")[percent - 1]


async def closed(
    clients: Sequence[Operation], *, seconds: float, processes: Mapping[str, Iterable[int]]
) -> Run:
    """Every client asks again as soon as it was answered."""
    latencies: list[float] = []
    until = time.perf_counter() + seconds

    async def work(operation: Operation) -> None:
        while (began := time.perf_counter()) < until:
            await operation()
            latencies.append((time.perf_counter() - began) * 1000)

    return await _measured(processes, latencies, [work(each) for each in clients])


async def open_loop(
    clients: Sequence[Operation],
    *,
    rate: float,
    seconds: float,
    processes: Mapping[str, Iterable[int]],
) -> Run:
    """Operations fall due `rate` times a second, whoever is free takes the oldest one."""
    latencies: list[float] = []
    began = time.perf_counter() + 0.05
    due = iter([began + number / rate for number in range(int(rate * seconds))])

    async def work(operation: Operation) -> None:
        for moment in due:
            await asyncio.sleep(max(0.0, moment - time.perf_counter()))
            await operation()
            latencies.append((time.perf_counter() - moment) * 1000)

    return await _measured(processes, latencies, [work(each) for each in clients])


async def _measured(
    processes: Mapping[str, Iterable[int]],
    latencies: list[float],
    work: Iterable[Awaitable[None]],
) -> Run:
    named = {name: list(pids) for name, pids in processes.items()}
    before, began = cpu_seconds(named), time.perf_counter()
    await asyncio.gather(*work)
    seconds, after = time.perf_counter() - began, cpu_seconds(named)
    cpu = {name: after[name] - before[name] for name in named}
    return Run(seconds, sorted(latencies), cpu)
