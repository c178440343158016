"""What a CPU-second of the issuer and its PostgreSQL does: `make bench`.

Starts the whole system, measures it, and then again with nothing but the issuer and PostgreSQL
left, which is what other servers are compared with. Every answer is checked.
"""

from collections.abc import Awaitable, Sequence
from dataclasses import replace

import httpx
import uvloop
from rich.console import Console
from rich.table import Table

from bench.load import Operation, Run, closed
from bench.operations import Chain, Target, client_credentials, introspect, refresh
from cli.demo import Demo, DemoClient, Person
from cli.story import Story
from cli.up import running
from devstack.lifetime import ends_in_order
from devstack.stack import Stack

FEW, MANY = 16, 64
"""Clients at once: as many as other servers were measured with, and enough to share commits."""

WARM_UP_SECONDS, SECONDS = 3.0, 10.0


def issuer_alone(stack: Stack, demo: Demo, client: DemoClient) -> Target:
    """The issuer and PostgreSQL; the relay is a part of the issuer's process."""
    assert stack.database is not None
    assert stack.database.server is not None
    return Target(
        name="issuer and PostgreSQL",
        token=f"{demo.issuer}/token",
        introspection=f"{demo.issuer}/introspect",
        jwks=f"{demo.issuer}/.well-known/jwks.json",
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


async def measured(target: Target, making: Sequence[Awaitable[Operation]]) -> Run:
    """One run, warmed up."""
    clients = [await each for each in making]
    await closed(clients, seconds=WARM_UP_SECONDS, processes=target.processes)
    return await closed(clients, seconds=SECONDS, processes=target.processes)


def main(console: Console) -> None:
    """Print the table."""
    table = Table("operation", "of", "clients", "per s", "per CPU-s", "p50 ms", "p99 ms", "cores")

    def run(name: str, target: Target, making: Sequence[Awaitable[Operation]]) -> None:
        console.print(f"{name}, {len(making)} clients, {target.name}", highlight=False)
        found = uvloop.run(measured(target, making))
        target.samples.check(target.jwks)
        cores = ", ".join(f"{each} {used / found.seconds:.2f}" for each, used in found.cpu.items())
        table.add_row(
            name,
            target.name,
            str(len(making)),
            f"{found.rate:,.0f}",
            f"{found.per_cpu_second:,.0f}",
            f"{found.percentile(50):.1f}",
            f"{found.percentile(99):.1f}",
            cores,
        )

    with running(console) as (stack, demo):
        web = issuer_alone(stack, demo, demo.clients["web"])
        machine = issuer_alone(stack, demo, demo.clients["machine"])
        api = issuer_alone(stack, demo, demo.clients["api"])
        tokens = sign_ins(demo, FEW + FEW + MANY)
        chains = [Chain(each["refresh_token"]) for each in tokens]
        asked = [introspect(api, each["access_token"]) for each in tokens[:FEW]]
        run("introspection", api, asked)
        run("refresh", whole(stack, web), [refresh(web, [each]) for each in chains[:FEW]])
        leave_the_issuer(stack)
        run("refresh", web, [refresh(web, [each]) for each in chains[FEW:-MANY]])
        run("refresh", web, [refresh(web, [each]) for each in chains[-MANY:]])
        run("client credentials", machine, [client_credentials(machine) for _ in range(FEW)])
    console.print(table)


if __name__ == "__main__":
    with ends_in_order():
        main(Console(soft_wrap=True))
