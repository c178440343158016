"""A visit: warmed until two runs agree, then every measure in turn, again and again."""

import platform
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import uvloop

from bench.load import Run, closed
from bench.peers.results import Figure, Visit
from bench.peers.system import Measure, Subject

AGREE = 0.05
"""Two runs agree when they differ by less than this, and do not exceed the one before by more."""

WARM_UP_RUN_SECONDS, RAMP_SECONDS = 15.0, 1.0
SHOWN = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers")


def visit(
    name: str,
    subject: Subject,
    *,
    seconds: float,
    runs: int,
    warm_up_seconds: float,
    say: Callable[[str], None],
) -> Visit:
    """Warm it up and measure it.

    Raises:
        WrongAnswerError: an answer was not what it has to be; nothing of the visit counts.
        jwt.InvalidTokenError: a sampled token has no good signature.
    """
    at = datetime.now(UTC).isoformat(timespec="seconds")
    warm_up = _warmed_up(subject, warm_up_seconds, say)
    figures = []
    for _ in range(runs):
        for measure in subject.measures:
            figure = _figure(measure, subject.database, seconds)
            say(f"{name}: {figure.operation}, {figure.clients} clients: {_told(figure)}")
            figures.append(figure)
    return Visit(
        system=name,
        version=subject.version,
        at=at,
        commit=_commit(),
        machine=_machine(),
        settings=uvloop.run(_settings(subject.database)),
        seconds=seconds,
        warm_up=warm_up,
        figures=figures,
    )


def _warmed_up(subject: Subject, longest: float, say: Callable[[str], None]) -> list[float]:
    """Operations a CPU-second of each run; every measure is warmed a little, the first most."""
    run_seconds = min(WARM_UP_RUN_SECONDS, longest / 3)
    for measure in subject.measures:
        _figure(measure, subject.database, run_seconds / 4)
    found: list[float] = []
    while len(found) * run_seconds < longest:
        found.append(_figure(subject.warm_up, subject.database, run_seconds).per_cpu_second)
        say(f"warming up: {found[-1]:,.0f} refreshes per CPU-second")
        if len(found) > 2 and agree(*found[-3:]):
            break
    return found


def agree(earlier: float, before: float, last: float) -> bool:
    """Whether the last two of three runs agree, and rose no more over the first."""
    return abs(last / before - 1) < AGREE and last < earlier * (1 + AGREE)


def _figure(measure: Measure, database: str, seconds: float) -> Figure:
    run, wal = uvloop.run(_run(measure, database, seconds))
    return Figure(
        operation=measure.operation,
        clients=measure.clients,
        per_second=run.rate,
        per_cpu_second=run.per_cpu_second,
        p50_ms=run.percentile(50),
        p99_ms=run.percentile(99),
        cores={name: used / run.seconds for name, used in run.cpu.items()},
        wal_bytes=wal / len(run.latencies),
        signatures=measure.target.samples.check(measure.target.jwks),
    )


async def _run(measure: Measure, database: str, seconds: float) -> tuple[Run, int]:
    clients = [await measure.make(number) for number in range(measure.clients)]
    connection = await asyncpg.connect(database)
    try:
        # Without statistics PostgreSQL reads Hydra's tables by the wrong index: half the
        # speed. Autovacuum would get there, in the middle of some run.
        await connection.execute("VACUUM (ANALYZE)")
        await closed(clients, seconds=RAMP_SECONDS, processes={})
        before = await _written(connection)
        run = await closed(clients, seconds=seconds, processes=measure.target.processes)
        return run, await _written(connection) - before
    finally:
        await connection.close()


async def _written(connection: "asyncpg.Connection[asyncpg.Record]") -> int:
    """Bytes of write-ahead log since the server was made."""
    return int(await connection.fetchval("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))


async def _settings(database: str) -> dict[str, str]:
    connection = await asyncpg.connect(database)
    try:
        return {
            name: str(await connection.fetchval("SELECT current_setting($1)", name))
            for name in SHOWN
        }
    finally:
        await connection.close()


def _told(figure: Figure) -> str:
    return (
        f"{figure.per_cpu_second:,.0f} per CPU-second, {figure.per_second:,.0f}/s, "
        f"p99 {figure.p99_ms:.0f} ms"
    )


def _commit() -> str:
    asked = ["/usr/bin/env", "git", "describe", "--always", "--dirty"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def _machine() -> str:
    """Cores, memory, kernel: what a figure cannot be read without."""
    told = dict(
        line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines() + _processor()
    )
    memory = int(told["MemTotal"].split()[0]) / 1_048_576
    cores = sum(line.startswith("processor") for line in _processor())
    model = told.get("model name", platform.machine()).strip()
    return f"{cores} cores ({model}), {memory:.0f} GiB, Linux {platform.release()}"


def _processor() -> list[str]:
    return [line for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line]
