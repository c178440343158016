"""What the issuer does with a CPU-second: `make bench`.

Starts the whole system, or takes the demo that `make run` serves, and puts closed loops on it.
"""

import sys

import httpx
import uvloop
from bench.load import Operation, Run, closed
from bench.operations import Target, refresh
from rich.console import Console
from rich.table import Table

from cli.demo import Demo
from cli.story import Story
from cli.up import running
from devstack.lifetime import ends_in_order
from devstack.stack import Stack

CLIENTS = (16, 64)
SECONDS = 14.0
WARM_UP_SECONDS = 3.0


def ours(stack: Stack, demo: Demo) -> Target:
    """Our issuer, with its PostgreSQL; the relay is a part of the issuer's process."""
    web = demo.clients["web"]
    assert stack.database is not None
    assert stack.database.server is not None
    return Target(
        name="revocast",
        token=f"{demo.issuer}/token",
        introspection=f"{demo.issuer}/introspect",
        jwks=f"{demo.issuer}/.well-known/jwks.json",
        client_id=web.client_id,
        client_secret=web.client_secret or "",
        parameters={},
        processes={
            "issuer": [stack.services["issuer"].pid],
            "postgres": [stack.database.server.pid],
        },
    )


def chains(demo: Demo, count: int) -> list[str]:
    """Refresh tokens of as many families, each by a sign-in of its own."""
    found = []
    with httpx.Client(timeout=10) as http, httpx.Client(timeout=10) as browser:
        story = Story(demo, lambda step: None, http)
        for _ in range(count):
            tokens = story.sign_in(
                demo.clients["web"], demo.user, "orders.read", demo.urls["sample_api"], browser
            )
            found.append(tokens["refresh_token"])
    return found


async def measured(target: Target, clients: list[Operation]) -> Run:
    """One run, warmed up."""
    await closed(clients, seconds=WARM_UP_SECONDS, processes=target.processes)
    return await closed(clients, seconds=SECONDS, processes=target.processes)


def bare(stack: Stack) -> None:
    """Leave only the issuer and its PostgreSQL, which is what peers are compared with.

    Every issuance still goes to the outbox; nobody carries it on.
    """
    stack.leave_alone()
    for name in ("sample_api", "audit", "revocation"):
        stack.services[name].stop()
    assert stack.log is not None
    assert stack.log.server is not None
    stack.log.server.stop()


def main(console: Console) -> None:
    """Print the table."""
    table = Table("operation", "clients", "per s", "per CPU-s", "p50 ms", "p99 ms", "CPU")
    with running(console) as (stack, demo):
        target = ours(stack, demo)
        tokens = {count: chains(demo, count) for count in CLIENTS}
        bare(stack)
        for count in CLIENTS:
            run = uvloop.run(refreshing(target, tokens[count]))
            _tell(table, "refresh", count, run)
    console.print(table)


async def refreshing(target: Target, tokens: list[str]) -> Run:
    return await measured(target, [await refresh(target, token) for token in tokens])


def _tell(table: Table, name: str, count: int, run: Run) -> None:
    cpu = ", ".join(f"{each} {seconds / run.seconds:.2f}" for each, seconds in run.cpu.items())
    table.add_row(
        name,
        str(count),
        f"{run.rate:,.0f}",
        f"{run.per_cpu_second:,.0f}",
        f"{run.percentile(50):.1f}",
        f"{run.percentile(99):.1f}",
        cpu,
    )


if __name__ == "__main__":
    with ends_in_order():
        main(Console(soft_wrap=True))
    sys.exit(0)
