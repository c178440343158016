"""What a CPU-second of the issuer and its PostgreSQL does: `make bench`.

Starts the whole system, measures it, and then again with nothing but the issuer and PostgreSQL
left, which is what other servers are compared with. Every answer is checked.
"""

import time
from collections.abc import Awaitable, Sequence
from dataclasses import replace

import asyncpg
import httpx
import uvloop
from rich.console import Console
from rich.table import Table

from bench.load import Operation, Run, closed
from bench.operations import (
    Chain,
    Target,
    client_credentials,
    introspect,
    jwks,
    refresh,
    revoke,
)
from cli.demo import Demo, DemoClient, Person
from cli.story import Story
from cli.up import running
from devstack.lifetime import ends_in_order
from devstack.memory import memory_mb
from devstack.postgres import Postgres
from devstack.stack import Stack

FEW, MANY = 16, 64
"""Clients at once: as many as other servers were measured with, and enough to share commits."""

WARM_UP_SECONDS, SECONDS = 3.0, 8.0

IDLE_SECONDS = 3.0
"""After its start, before memory is read: what only the start needed has been given back."""


def issuer_alone(stack: Stack, demo: Demo, client: DemoClient) -> Target:
    """The issuer and PostgreSQL; the relay is a part of the issuer's process."""
    assert stack.database is not None
    assert stack.database.server is not None
    return Target(
        name="issuer and PostgreSQL",
        token=f"{demo.issuer}/token",
        introspection=f"{demo.issuer}/introspect",
        jwks=f"{demo.issuer}/.well-known/jwks.json",
        revocation=f"{demo.issuer}/revoke",
        client_id=client.client_id,
        client_secret=client.client_secret or "",
        parameters={},
        processes={
            "issuer": [stack.services["issuer"].pid],
            "postgres": [stack.database.server.pid],
        },
    )


def whole(stack: Stack, target: Target) -> Target:
    """The same with the whole pipeline: relay, Kafka, revocation, audit, an API with the SDK."""
    assert stack.log is not None
    assert stack.log.server is not None
    others = {name: [stack.services[name].pid] for name in ("revocation", "audit", "sample_api")}
    kafka = {"kafka": [stack.log.server.pid]}
    return replace(target, name="whole pipeline", processes={**target.processes, **kafka, **others})


def sign_ins(demo: Demo, count: int, person: Person | None = None) -> list[dict[str, str]]:
    """Tokens of as many families of one person at one browser."""
    with httpx.Client(timeout=10) as http, httpx.Client(timeout=10) as browser:
        story = Story(demo, lambda step: None, http)
        api = demo.urls["sample_api"]
        web = demo.clients["web"]
        who = person or demo.user
        return [story.sign_in(web, who, "orders.read", api, browser) for _ in range(count)]


def leave_the_issuer(stack: Stack) -> None:
    """End everything else. Issuances still go to the outbox; nobody carries them on."""
    stack.leave_alone()
    for name in ("sample_api", "audit", "revocation"):
        stack.services[name].stop()
    assert stack.log is not None
    assert stack.log.server is not None
    stack.log.server.stop()


async def measured(
    target: Target, making: Sequence[Awaitable[Operation]], dsn: str
) -> tuple[Run, float]:
    """One run, warmed up, and the bytes of write-ahead log for each of its operations."""
    clients = [await each for each in making]
    await closed(clients, seconds=WARM_UP_SECONDS, processes=target.processes)
    before = await written(dsn)
    run = await closed(clients, seconds=SECONDS, processes=target.processes)
    wal = (await written(dsn) - before) / len(run.latencies)
    target.samples.check(target.jwks)
    return run, wal


async def written(dsn: str) -> int:
    """Bytes of write-ahead log since the server was made."""
    connection = await asyncpg.connect(dsn)
    try:
        return int(await connection.fetchval("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))
    finally:
        await connection.close()


def database(stack: Stack) -> Postgres:
    """The embedded PostgreSQL."""
    assert stack.database is not None
    assert stack.database.server is not None
    return stack.database.server


class Rows:
    """The table of a benchmark, filled run by run."""

    def __init__(self, console: Console, dsn: str) -> None:
        self._console, self._dsn = console, dsn
        self._table = Table(
            *("operation", "of", "clients", "per s", "per CPU-s", "p50 ms", "p99 ms", "cores"),
            "WAL bytes each",
        )

    def run(self, name: str, target: Target, making: Sequence[Awaitable[Operation]]) -> None:
        """Measure one row."""
        self._console.print(f"{name}, {len(making)} clients, {target.name}", highlight=False)
        found, wal = uvloop.run(measured(target, making, self._dsn))
        cores = ", ".join(f"{each} {used / found.seconds:.2f}" for each, used in found.cpu.items())
        self._table.add_row(
            name,
            target.name,
            str(len(making)),
            f"{found.rate:,.0f}",
            f"{found.per_cpu_second:,.0f}",
            f"{found.percentile(50):.1f}",
            f"{found.percentile(99):.1f}",
            cores,
            f"{wal:,.0f}",
        )

    def show(self) -> None:
        """Print what was measured."""
        self._console.print(self._table)


def main(console: Console) -> None:
    """Print the table."""
    with running(console) as (stack, demo):
        time.sleep(IDLE_SECONDS)
        idle = memory_mb(stack.services["issuer"].pid)
        rows = Rows(console, database(stack).dsn())
        web = issuer_alone(stack, demo, demo.clients["web"])
        machine = issuer_alone(stack, demo, demo.clients["machine"])
        api = issuer_alone(stack, demo, demo.clients["api"])
        tokens = sign_ins(demo, FEW + FEW + MANY)
        chains = [Chain(each["refresh_token"]) for each in tokens]
        asked = [introspect(api, each["access_token"]) for each in tokens[:FEW]]
        rows.run("introspection", api, asked)
        rows.run("refresh", whole(stack, web), [refresh(web, [each]) for each in chains[:FEW]])
        leave_the_issuer(stack)
        rows.run("refresh", web, [refresh(web, [each]) for each in chains[FEW:-MANY]])
        rows.run("refresh", web, [refresh(web, [each]) for each in chains[-MANY:]])
        rows.run("client credentials", machine, [client_credentials(machine) for _ in range(FEW)])
        rows.run("token, then /revoke", machine, [revoke(machine) for _ in range(FEW)])
        rows.run("JWKS", machine, [jwks(machine) for _ in range(FEW)])
    rows.show()
    console.print(f"memory of one issuer, idle: {idle or 0:.0f} MB (PSS)", highlight=False)


if __name__ == "__main__":
    with ends_in_order():
        main(Console(soft_wrap=True))
