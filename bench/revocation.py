"""How long a thief's replay takes to be refused everywhere: replay presented -> a guard denies.

Runs against the demo that `make run` serves, or starts the system for as long as it takes. This
process is one more resource server, on the event loop that servers use, with its own guard on the
Kafka feed. Each theft is a family of its own: sign in, refresh twice, replay the first refresh
token over a connection that is open already. The clock runs from the first byte of that request to
the moment at which the guard denies the unexpired access token. Every answer is checked.
"""

import asyncio
import json
import statistics
import time
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import uvloop
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.connection import Connection, post
from bench.operations import WrongAnswerError, basic
from cli.demo import PATH, Demo, read
from cli.story import Story
from cli.up import running
from devstack.lifetime import ends_in_order
from revocast import Guard, KafkaFeed, RevokedToken
from revocast_contracts.revocations import RevocationEntry

THEFTS = 200
WARM_UP = 200
"""Thefts before those that count. A system that was just started gets faster for so long, its
broker most of all: the medians of ten hundreds were 23, 22, 20, 19, 18, 18, 19, 19, 18, 17 ms."""

SETTLED_SECONDS = 0.05
"""Before each replay: the refreshes before it have been published, as they have in real life."""

LONGEST_SECONDS = 10.0
"""A theft that is not denied by then ends the benchmark."""

READY_ASKED_EVERY_SECONDS = 0.05
"""While the guard reads the log of revocations, before anything is measured."""


class ResourceServer:
    """A guard that is asked again whenever an entry came into force.

    Asking all the time would see the same moment, and take a core from the system.
    """

    def __init__(self, demo: Demo) -> None:
        self._news = asyncio.Event()
        self.guard = Guard(
            issuer=demo.issuer,
            audience=demo.urls["sample_api"],
            feed=KafkaFeed(demo.kafka_bootstrap, on_entry=self._heard),
        )

    async def _heard(self, entry: RevocationEntry, correlation_id: str) -> None:
        self._news.set()

    async def denied(self, access_token: str) -> float:
        """Wait until a token is denied; when that was, by `time.perf_counter`."""
        while True:
            self._news.clear()
            try:
                await self.guard.check(access_token)
            except RevokedToken:
                return time.perf_counter()
            await self._news.wait()


class Thief:
    """Presents a stolen refresh token as the client `web`."""

    def __init__(self, demo: Demo, connection: Connection) -> None:
        web = demo.clients["web"]
        self._connection = connection
        self._where = urlsplit(f"{demo.issuer}/token")
        self._authorization = basic(web.client_id, web.client_secret or "")

    async def replay(self, refresh_token: str) -> None:
        """Be refused.

        Raises:
            WrongAnswerError: it was not, or for another reason.
        """
        form = urlencode({"grant_type": "refresh_token", "refresh_token": refresh_token})
        status, body = await self._connection.ask(
            post(
                self._where.netloc,
                self._where.path,
                form.encode(),
                authorization=self._authorization,
            )
        )
        if status != 400 or json.loads(body).get("error") != "invalid_grant":
            raise WrongAnswerError(f"{status} {body[:200].decode(errors='replace')}")


async def theft(story: Story, browser: httpx.Client, thief: Thief, server: ResourceServer) -> float:
    """One theft; milliseconds from the replay until the guard denied the access token."""
    first, third = await asyncio.to_thread(_refresh_twice, story, browser)
    await server.guard.check(third["access_token"], scopes=["orders.read"])
    await asyncio.sleep(SETTLED_SECONDS)
    async with asyncio.timeout(LONGEST_SECONDS), asyncio.TaskGroup() as both:
        presented = time.perf_counter()
        denied = both.create_task(server.denied(third["access_token"]))
        both.create_task(thief.replay(first["refresh_token"]))
    return (denied.result() - presented) * 1000


def _refresh_twice(story: Story, browser: httpx.Client) -> tuple[dict[str, Any], dict[str, Any]]:
    web = story.demo.clients["web"]
    resource = story.demo.urls["sample_api"]
    first = story.sign_in(web, story.demo.user, "orders.read", resource, browser)
    return first, story.refresh(web, story.refresh(web, first))


async def measure(demo: Demo) -> list[float]:
    """All thefts, one after the other, over connections that stay open."""
    server = ResourceServer(demo)
    issuer = urlsplit(demo.issuer)
    with httpx.Client(timeout=10) as http, httpx.Client(timeout=10) as browser:
        story = Story(demo, lambda step: None, http)
        async with server.guard:
            async with asyncio.timeout(LONGEST_SECONDS):
                while not server.guard.ready:
                    await asyncio.sleep(READY_ASKED_EVERY_SECONDS)
            connection = await Connection.open(issuer.hostname or "", issuer.port or 80)
            thief = Thief(demo, connection)
            for _ in track(range(WARM_UP), "warming up"):
                await theft(story, browser, thief, server)
            figures = [
                await theft(story, browser, thief, server) for _ in track(range(THEFTS), "thefts")
            ]
            connection.close()
            return figures


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
