"""Refreshes with 1, 2 and 4 issuers on one database: `python -m bench.workers`.

Issuers share nothing but PostgreSQL, so workers are processes; clients spread over them. On few
cores more workers share fewer commits each, and the generator takes a part of the machine.
"""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

import uvloop
from rich.console import Console
from rich.table import Table

from bench.operations import Chain, Target, refresh
from bench.peers.tools import serving
from bench.throughput import (
    MANY,
    database,
    issuer_alone,
    leave_the_issuer,
    measured,
    sign_ins,
)
from cli.up import running
from devstack.lifetime import ends_in_order
from devstack.ports import LOOPBACK, free_port
from devstack.stack import Stack

WORKERS = (1, 2, 4)


def spread(chains: Sequence[Chain], base: Target, urls: Sequence[str]) -> list[Target]:
    """Whom each chain's client asks: the workers in turn."""
    return [
        replace(base, token=f"{urls[number % len(urls)]}/token", samples=base.samples)
        for number in range(len(chains))
    ]


def another(stack: Stack, held: ExitStack) -> tuple[str, int]:
    """One more issuer beside the stack's own: its address and process id."""
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    environment = stack.environment("issuer") | {"REVOCAST_ISSUER_PORT": str(port)}
    start = [sys.executable, "-m", "issuer"]
    name = f"issuer-{port}"
    child = held.enter_context(
        serving(name, start, environment=environment, ready=f"{url}/.well-known/jwks.json")
    )
    return url, child.pid


def main(console: Console) -> None:
    """Print the table."""
    table = Table("issuers", "refreshes per s", "per CPU-s", "p99 ms", "cores")
    with ExitStack() as held:
        stack, demo = held.enter_context(running(console))
        web = issuer_alone(stack, demo, demo.clients["web"])
        chains = [Chain(each["refresh_token"]) for each in sign_ins(demo, MANY)]
        leave_the_issuer(stack)
        urls = [demo.issuer]
        pids = list(web.processes["issuer"])
        for count in WORKERS:
            while len(urls) < count:
                url, pid = another(stack, held)
                urls.append(url)
                pids.append(pid)
            target = replace(web, processes={**web.processes, "issuer": list(pids)})
            asked = zip(spread(chains, target, urls), chains, strict=True)
            making = [refresh(to, [chain]) for to, chain in asked]
            found, _ = uvloop.run(measured(target, making, database(stack).dsn()))
            cores = (f"{name} {used / found.seconds:.2f}" for name, used in found.cpu.items())
            table.add_row(
                str(count),
                f"{found.rate:,.0f}",
                f"{found.per_cpu_second:,.0f}",
                f"{found.percentile(99):.1f}",
                ", ".join(cores),
            )
    console.print(table)


if __name__ == "__main__":
    with ends_in_order():
        main(Console(soft_wrap=True))
