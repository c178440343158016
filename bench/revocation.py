"""How long a thief's replay takes to be refused everywhere: replay presented -> API answers 401.

Runs against the demo that `make run` serves, or starts the system for as long as it takes.
Each theft is a family of its own: sign in, refresh twice, replay the first refresh token, then call
the API with the unexpired access token until it is refused. Every answer is checked.
"""

import statistics
import time

import httpx
from rich.console import Console
from rich.progress import track
from rich.table import Table

from cli.demo import PATH, Demo, read
from cli.story import Story
from cli.up import running
from devstack.lifetime import ends_in_order

THEFTS = 200
WARM_UP = 10
SETTLED_SECONDS = 0.05
"""Before each replay: the refreshes before it have been published, as they have in real life."""


def theft(story: Story, browser: httpx.Client) -> float:
    """One theft; milliseconds from the replay until the API refused the access token."""
    web = story.demo.clients["web"]
    resource = story.demo.urls["sample_api"]
    first = story.sign_in(web, story.demo.user, "orders.read", resource, browser)
    second = story.refresh(web, first)
    third = story.refresh(web, second)
    assert story.call_api(third["access_token"]).status_code == 200
    time.sleep(SETTLED_SECONDS)
    presented = time.perf_counter()
    story.expect_invalid_grant(web, first["refresh_token"])
    return story.wait_for_denial(third["access_token"], presented)


def measure(demo: Demo) -> list[float]:
    """All thefts, one after the other, over connections that stay open."""
    with httpx.Client(timeout=10) as http, httpx.Client(timeout=10) as browser:
        story = Story(demo, lambda step: None, http)
        for _ in range(WARM_UP):
            theft(story, browser)
        return [theft(story, browser) for _ in track(range(THEFTS), "thefts")]


def main() -> None:
    """Print the distribution."""
    console = Console(soft_wrap=True)
    if PATH.exists():
        figures = measure(read(PATH))
    else:
        with ends_in_order(), running(console) as (_, demo):
            figures = measure(demo)
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
