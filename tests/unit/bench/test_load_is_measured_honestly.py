import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import pytest

from bench.connection import Connection, get
from bench.cpu import cpu_seconds
from bench.load import Operation, closed, open_loop

NOBODY: dict[str, list[int]] = {}
BURN = "import time; end = time.process_time() + {}\nwhile time.process_time() < end: pass"


@pytest.fixture
async def echo() -> AsyncIterator[tuple[str, int]]:
    """A server that answers each request in two pieces."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\nno")
            await writer.drain()
            await asyncio.sleep(0)
            writer.write(b"ne")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield host, port


async def test_a_connection_is_used_again_and_again(echo: tuple[str, int]) -> None:
    """Answers come whole and in order, with the status that they have."""
    connection = await Connection.open(*echo)
    answers = [await connection.ask(get("test", "/")) for _ in range(3)]
    connection.close()
    assert answers == [(404, b"none")] * 3


async def test_a_closed_connection_is_an_error(echo: tuple[str, int]) -> None:
    """An operation whose server is gone fails, instead of being counted."""
    connection = await Connection.open(*echo)
    connection.close()
    with pytest.raises(ConnectionError):
        await connection.ask(get("test", "/"))


def test_cpu_time_of_children_counts_also_when_they_are_gone() -> None:
    """Work that a child did, and a child's child, is the root's, before and after it is reaped."""
    mine = {"me": [os.getpid()]}
    before = cpu_seconds(mine)["me"]
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURN.format(0.3)!r}])"
    subprocess.run([sys.executable, "-c", nested], check=True)
    assert cpu_seconds(mine)["me"] - before >= 0.3


def test_cpu_time_of_others_does_not_count() -> None:
    """Only what was named is added up."""
    other = subprocess.Popen([sys.executable, "-c", BURN.format(0.5)])
    try:
        assert cpu_seconds({"none": []}) == {"none": 0.0}
    finally:
        other.kill()
        other.wait()


async def test_an_open_loop_charges_a_stall_to_all_that_had_to_wait() -> None:
    """One late answer makes all late that fell due meanwhile (coordinated omission)."""
    stalled = False

    async def operation() -> None:
        nonlocal stalled
        if not stalled:
            stalled = True
            await asyncio.sleep(0.2)

    one: list[Operation] = [operation]
    found = await open_loop(one, rate=100, seconds=0.4, processes=NOBODY)
    assert len(found.latencies) == 40
    assert sum(latency > 50 for latency in found.latencies) >= 10


async def test_a_closed_loop_asks_as_soon_as_it_was_answered() -> None:
    """Each client has one request under way, and a run counts what was answered."""
    under_way = most = 0

    async def operation() -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1

    began = time.perf_counter()
    found = await closed([operation] * 4, seconds=0.1, processes=NOBODY)
    assert most == 4
    assert found.seconds <= time.perf_counter() - began
    assert found.rate * found.seconds == pytest.approx(len(found.latencies))
