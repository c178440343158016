"""How long a thief's replay takes to be refused everywhere: replay presented -> a guard denies.

Runs against the demo that `make run` serves, or starts the system for as long as it takes. This
process is one more resource server, on the event loop that servers use: its own guard, on the Kafka
feed, is asked every millisecond.
Each theft is a family of its own: sign in, refresh twice, replay the first refresh token over HTTP,
then ask about the unexpired access token until it is denied. Every answer is checked.
"""

import asyncio
import statistics
import time

import httpx
import uvloop
from rich.console import Console
from rich.progress import track
from rich.table import Table

from cli.demo import PATH, Demo, read
from cli.story import Story
from cli.up import running
from devstack.lifetime import ends_in_order
from revocast import Guard, RevokedToken

THEFTS = 200
WARM_UP = 200
"""Thefts before those that count. A system that was just started gets faster for so long, its
broker most of all: the medians of ten hundreds were 23, 22, 20, 19, 18, 18, 19, 19, 18, 17 ms."""

SETTLED_SECONDS = 0.05
"""Before each replay: the refreshes before it have been published, as they have in real life."""

ASKED_EVERY_SECONDS = 0.001
"""A denial is seen at most so late; asking without a pause would take a core from the system."""

LONGEST_SECONDS = 10.0
"""A theft that is not denied by then ends the benchmark."""


async def theft(story: Story, browser: httpx.Client, guard: Guard) -> float:
    """One theft; milliseconds from the replay until the guard denied the access token."""
    web = story.demo.clients["web"]
    resource = story.demo.urls["sample_api"]
    first = await asyncio.to_thread(
        story.sign_in, web, story.demo.user, "orders.read", resource, browser
    )
    second = await asyncio.to_thread(story.refresh, web, first)
    third = await asyncio.to_thread(story.refresh, web, second)
    await guard.check(third["access_token"], scopes=["orders.read"])
    await asyncio.sleep(SETTLED_SECONDS)
    presented = time.perf_counter()
    await asyncio.to_thread(story.expect_invalid_grant, web, first["refresh_token"])
    async with asyncio.timeout(LONGEST_SECONDS):
        await _denied(guard, third["access_token"])
    return (time.perf_counter() - presented) * 1000


async def _denied(guard: Guard, access_token: str) -> None:
    while True:
        try:
            await guard.check(access_token)
        except RevokedToken:
            return
        await asyncio.sleep(ASKED_EVERY_SECONDS)


async def measure(demo: Demo) -> list[float]:
    """All thefts, one after the other, over connections that stay open."""
    guard = Guard(issuer=demo.issuer, audience=demo.urls["sample_api"], kafka=demo.kafka_bootstrap)
    with httpx.Client(timeout=10) as http, httpx.Client(timeout=10) as browser:
        story = Story(demo, lambda step: None, http)
        async with guard:
            async with asyncio.timeout(LONGEST_SECONDS):
                while not guard.ready:
                    await asyncio.sleep(ASKED_EVERY_SECONDS)
            for _ in track(range(WARM_UP), "warming up"):
                await theft(story, browser, guard)
            return [await theft(story, browser, guard) for _ in track(range(THEFTS), "thefts")]


def main() -> None:
    """Print the distribution."""
    console = Console(soft_wrap=True)
    if PATH.exists():
        figures = uvloop.run(measure(read(PATH)))
    else:
        with ends_in_order(), running(console) as (_, demo):
            figures = uvloop.run(measure(demo))
    cuts = statistics.quantiles(figures, n=100)
    table = Table("figure", "ms", title=f"replay presented -> denied, {THEFTS} thefts")
    rows = {
        "min": min(figures),
        "p50": cuts[49],
        "p90": cuts[89],
        "p99": cuts[98],
        "max": max(figures),
    }
    for name, value in rows.items():
        table.add_row(name, f"{value:.1f}")
    console.print(table)


if __name__ == "__main__":
    main()
