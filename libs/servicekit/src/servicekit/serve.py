"""Runs an app and the tasks beside it: supervised while it lives, drained when it ends."""

import asyncio
import contextlib
import math
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from servicekit import metrics, problems
from servicekit.bounded_protocol import BoundedProtocol
from servicekit.request_metrics import RequestMetrics

_log = structlog.get_logger()

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0
"""Seconds before a task that broke is started again: at first, and at most; jittered."""

STOP_SECONDS = 10.0
"""What a task gets to end in when the app ends; no cleanup of ours takes half of it."""

IDLE_SECONDS = 75
"""A connection is kept open longer than a load balancer's minute, so that it never races us."""

MOST_CONNECTIONS = 2000
"""More are answered 503: beyond it every request would be late, here only some are refused."""


def run(app: ASGIApp, *, host: str, port: int, drain_seconds: float) -> None:
    """Serve until SIGTERM or Ctrl-C; requests under way get `drain_seconds` to end.

    The process exits with another status than 0 when it can't start, with 0 after Ctrl-C; SIGTERM
    ends it as that signal does, once all is drained.
    """
    config = uvicorn.Config(
        _quiet(RequestMetrics(app)),
        host=host,
        port=port,
        loop="uvloop",
        http=BoundedProtocol,
        ws="none",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_config=None,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=math.ceil(drain_seconds),
        limit_concurrency=MOST_CONNECTIONS,
    )
    server = uvicorn.Server(config)
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it after it has drained
        server.run()
    if not server.started:
        sys.exit(1)


def _quiet(app: ASGIApp) -> ASGIApp:
    """The app; what it raised after it was logged and answered is not told again by the server."""

    async def quiet(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except Exception:
            if problems.ANSWERED not in scope:
                raise

    return quiet


class Background:
    """Tasks that must not end. One that ends or raises is started again; all end with the app."""

    def __init__(
        self, *, longest_pause: float = LONGEST_PAUSE, stop_seconds: float = STOP_SECONDS
    ) -> None:
        self._longest_pause = longest_pause
        self._stop_seconds = stop_seconds
        self._runs: dict[str, Callable[[], Awaitable[None]]] = {}
        self._troubles: dict[str, str | None] = {}

    def add(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Let `run` run from start to stop of the app."""
        self._runs[name] = run
        self._troubles[name] = "not started"

    async def check(self, name: str) -> str | None:
        """Why a task is not running, for readiness; None while it runs."""
        return self._troubles[name]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """All tasks run inside this; on leaving they are cancelled and awaited."""
        tasks = [
            asyncio.get_running_loop().create_task(self._supervise(name, run), name=name)
            for name, run in self._runs.items()
        ]
        try:
            yield
        finally:
            await _stop(tasks, self._stop_seconds)

    async def _supervise(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        pause = min(FIRST_PAUSE, self._longest_pause)
        while True:
            began = asyncio.get_running_loop().time()
            self._troubles[name] = None
            try:
                await run()
                self._troubles[name] = "ended"
                _log.error("background task ended", task=name)
            except Exception as error:  # noqa: BLE001 - whatever broke it, it is started again
                self._troubles[name] = type(error).__name__
                _log.error("background task broke", task=name, exc_info=error)
            metrics.increment("revocast_background_restarts_total", task=name)
            if asyncio.get_running_loop().time() - began > self._longest_pause:
                pause = min(FIRST_PAUSE, self._longest_pause)
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - jitter
            pause = min(self._longest_pause, pause * 2)


async def _stop(tasks: list[asyncio.Task[None]], seconds: float) -> None:
    for task in tasks:
        task.cancel()
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        _log.error("background task does not stop", task=task.get_name())
