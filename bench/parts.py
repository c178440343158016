"""What the parts of a refresh cost by themselves, in CPU microseconds: `python -m bench.parts`.

Nothing that is built of these can be faster: docs/floor.md says what follows from them.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator

import asyncpg
import httptools
import uvloop
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from rich.console import Console
from rich.table import Table

from bench.connection import post
from bench.floor import FAMILIES, SWAP
from bench.load import Operation, Run, closed
from bench.operations import Chain, Target, jwks, refresh
from bench.regression import floor
from bench.throughput import (
    FEW,
    SECONDS,
    WARM_UP_SECONDS,
    database,
    issuer_alone,
    leave_the_issuer,
    sign_ins,
)
from cli.up import running
from devstack.lifetime import ends_in_order
from oauth.forms import parse_parameters

TIMES = 20_000
FORM = b"grant_type=refresh_token&refresh_token=rvc_rt_k1." + b"a" * 32 + b".17." + b"b" * 43


def each_us(run: Run) -> str:
    """CPU microseconds of an operation, by process."""
    return ", ".join(
        f"{name} {used / len(run.latencies) * 1e6:.0f}" for name, used in run.cpu.items()
    )


def by_itself(call: Callable[[], object]) -> str:
    """CPU microseconds of a call in this process."""
    began = time.process_time()
    for _ in range(TIMES):
        call()
    return f"{(time.process_time() - began) / TIMES * 1e6:.1f}"


def calls() -> Iterator[tuple[str, Callable[[], object]]]:
    """What is timed alone."""
    key, how = ec.generate_private_key(ec.SECP256R1()), ec.ECDSA(hashes.SHA256())
    request = post("127.0.0.1", "/token", FORM, authorization="Basic " + "c" * 80)
    yield "one ES256 signature (OpenSSL, through cryptography)", lambda: key.sign(FORM * 5, how)
    yield "one HTTP request parsed (httptools)", lambda: _parsed(request)
    yield "its form read (ours: strict)", lambda: parse_parameters(FORM)


def _parsed(request: bytes) -> None:
    httptools.HttpRequestParser(_Ignoring()).feed_data(request)


class _Ignoring:
    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""

    def on_body(self, body: bytes) -> None:
        """The body."""


async def swaps(dsn: str) -> list[Operation]:
    """Clients of PostgreSQL that compare and swap a row each, one statement and commit a time."""

    async def one(number: int) -> Operation:
        connection = await asyncpg.connect(dsn)
        swap = await connection.prepare(SWAP)
        row = "SELECT generation FROM floor_family WHERE id = $1"
        generation = await connection.fetchval(row, number % FAMILIES)

        async def operation() -> None:
            nonlocal generation
            assert await swap.fetchval(number % FAMILIES, generation) == 1
            generation += 1

        return operation

    return [await one(number) for number in range(FEW)]


async def loaded(target: Target, making: Awaitable[list[Operation]]) -> Run:
    """One run, warmed up."""
    clients = await making
    await closed(clients, seconds=WARM_UP_SECONDS, processes=target.processes)
    return await closed(clients, seconds=SECONDS / 2, processes=target.processes)


async def _all(making: list[Awaitable[Operation]]) -> list[Operation]:
    return list(await asyncio.gather(*making))


def main(console: Console) -> None:
    """Print the table."""
    table = Table("part", "CPU us each")
    with running(console) as (stack, demo):
        web = issuer_alone(stack, demo, demo.clients["web"])
        ours = [Chain(each["refresh_token"]) for each in sign_ins(demo, FEW)]
        leave_the_issuer(stack)
        run = uvloop.run(loaded(web, _all([refresh(web, [chain]) for chain in ours])))
        table.add_row("a refresh by the issuer, 16 clients", each_us(run))
        with floor(stack) as least:
            theirs = [Chain(f"{number}.1") for number in range(FEW)]
            run = uvloop.run(loaded(least, _all([refresh(least, [chain]) for chain in theirs])))
            table.add_row("the same by a bare handler (bench/floor.py)", each_us(run))
            run = uvloop.run(loaded(least, _all([jwks(least) for _ in range(FEW)])))
            table.add_row("a bare Starlette handler: HTTP, a small JSON", each_us(run))
            run = uvloop.run(loaded(least, swaps(database(stack).dsn())))
            table.add_row("a bare UPDATE and its commit, 16 connections", each_us(run))
    for name, call in calls():
        table.add_row(name, by_itself(call))
    console.print(table)


if __name__ == "__main__":
    with ends_in_order():
        main(Console(soft_wrap=True))
