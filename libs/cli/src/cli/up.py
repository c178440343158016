"""The whole system on this machine: started, seeded, shown by one real story, ended in order."""

import asyncio
import contextlib
import json
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
from rich.console import Console

from cli.demo import PATH, Demo
from cli.issuer_admin import issuer_admin
from cli.seed import Remembered, seed
from cli.story import Step, Story, StoryFailedError, new_client
from devstack.stack import Stack

TRY = {
    "issuer": "/.well-known/openid-configuration",
    "revocation": "/revocations (for operators: .venv/bin/revocast revoke)",
    "audit": "/records (for operators: .venv/bin/revocast audit records)",
    "sample_api": "/public, and /orders with a token",
}
"""Where there is something to see: the addresses alone have no page."""

NO_FIGURES = dict.fromkeys(("reuse_to_denied_ms", "reuse_to_audited_ms", "ready_s", "memory_mb"))
"""Of a story that could not begin; the last line names all of them, whatever happened."""


@contextmanager
def running(console: Console, stack: Stack | None = None) -> Iterator[tuple[Stack, Demo]]:
    """The system with its demo; `demo.json` is in its directory while it lasts.

    Without a `stack` it is the one of `.revocast`.

    Raises:
        DevstackError: one line that says what to do.
    """
    with stack or Stack() as running_stack:
        console.print("demo clients and people: ready", highlight=False)
        demo = asyncio.run(_seed(running_stack))
        path = running_stack.directory / PATH.name
        demo.write(path)
        try:
            yield running_stack, demo
        finally:
            path.unlink(missing_ok=True)


def play(
    stack: Stack,
    demo: Demo,
    console: Console,
    *,
    client: Callable[[], httpx.Client] = new_client,
) -> bool:
    """Play the story and print it; the last line says how it went. Whether it all happened.

    All that is said over HTTP goes through clients made by `client`.
    """
    console.print()
    with client() as http:
        story = Story(demo, lambda step: _tell(console, step), http, client)
        try:
            story.play()
            words = "story: ok"
        except StoryFailedError as failure:
            words = f"story: failed: {failure.step}: {failure}"
    console.print()
    _last_line(console, words, {**NO_FIGURES, **story.figures, **_state(stack)})
    return words == "story: ok"


def serve(demo: Demo, console: Console) -> None:
    """Keep serving until Ctrl-C or SIGTERM."""
    console.print()
    for name, url in demo.urls.items():
        console.print(f"  {name.replace('_', ' '):<12} {url}{TRY.get(name, '')}", highlight=False)
    console.print(f"  {'demo':<12} {PATH} (clients, people, passwords)", highlight=False)
    console.print("\nserving; Ctrl-C ends everything", highlight=False)
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


async def _seed(stack: Stack) -> Demo:
    async with issuer_admin(stack.environment("issuer")) as admin:
        return await seed(
            admin.pool,
            admin.people,
            urls=stack.urls,
            kafka_bootstrap=stack.kafka_bootstrap,
            remembered=Remembered(Path(stack.directory) / "secrets" / "demo.json"),
        )


def _tell(console: Console, step: Step) -> None:
    console.print(
        f"{step.milliseconds:8.1f} ms  [bold]{step.name}[/bold]  [dim]{step.told}[/dim]",
        highlight=False,
    )


def _state(stack: Stack) -> dict[str, float | None]:
    return {"ready_s": stack.ready_s, "memory_mb": stack.memory_mb()}


def _last_line(console: Console, words: str, figures: Mapping[str, float | None]) -> None:
    rounded = {name: value and round(value, 1) for name, value in figures.items()}
    console.print(f"{words} {json.dumps(rounded)}", highlight=False, markup=False, soft_wrap=True)
