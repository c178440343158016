"""Latency of refreshes at a quarter, a half and three quarters of peak: `python -m bench.latency`.

An open loop: latency counts from the moment a request was due, so that a stall is charged for all
that had to wait (coordinated omission). The generator shares the machine with what it measures.
"""

from collections.abc import Sequence

import uvloop
from rich.console import Console
from rich.table import Table

from bench.load import Run, closed, open_loop
from bench.operations import Chain, Target, refresh
from bench.throughput import (
    FEW,
    MANY,
    SECONDS,
    WARM_UP_SECONDS,
    issuer_alone,
    leave_the_issuer,
    sign_ins,
)
from cli.up import running
from devstack.lifetime import ends_in_order

OF_PEAK = (0.25, 0.5, 0.75)


async def measured(target: Target, chains: Sequence[Chain]) -> list[tuple[float, Run]]:
    """Rates and what came of them; the first is the peak, of 16 clients in a closed loop."""
    few = [await refresh(target, [chain]) for chain in chains[:FEW]]
    await closed(few, seconds=WARM_UP_SECONDS, processes=target.processes)
    peak = await closed(few, seconds=SECONDS, processes=target.processes)
    found = [(peak.rate, peak)]
    # Connected only now: the issuer hangs up on who says nothing for ten seconds.
    clients = [await refresh(target, [chain]) for chain in chains]
    for share in OF_PEAK:
        rate = peak.rate * share
        run = await open_loop(clients, rate=rate, seconds=SECONDS, processes=target.processes)
        found.append((rate, run))
    target.samples.check(target.jwks)
    return found


def main(console: Console) -> None:
    """Print the table."""
    with running(console) as (stack, demo):
        web = issuer_alone(stack, demo, demo.clients["web"])
        chains = [Chain(each["refresh_token"]) for each in sign_ins(demo, MANY)]
        leave_the_issuer(stack)
        found = uvloop.run(measured(web, chains))
    table = Table("refreshes", "per s", "p50 ms", "p99 ms", "max ms", "cores")
    names = ["closed loop, 16 clients", *(f"open loop, {share:.0%} of that" for share in OF_PEAK)]
    for name, (rate, run) in zip(names, found, strict=True):
        table.add_row(
            name,
            f"{rate:,.0f}",
            f"{run.percentile(50):.1f}",
            f"{run.percentile(99):.1f}",
            f"{run.latencies[-1]:.1f}",
            f"{sum(run.cpu.values()) / run.seconds:.2f}",
        )
    console.print(table)


if __name__ == "__main__":
    with ends_in_order():
        main(Console(soft_wrap=True))
