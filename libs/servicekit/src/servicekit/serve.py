"""Runs an app and the tasks beside it: supervised while it lives, drained when it ends."""

import asyncio
import contextlib
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog
import uvicorn
from starlette.types import ASGIApp

from servicekit import metrics

_log = structlog.get_logger()

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0
"""Seconds before a task that broke is started again: at first, and at most; jittered."""


def run(app: ASGIApp, *, host: str, port: int, drain_seconds: float) -> None:
    """Serve until SIGTERM or Ctrl-C; requests under way get `drain_seconds` to end."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        server_header=False,
        log_config=None,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(drain_seconds),
        limit_concurrency=2000,
    )
    server = uvicorn.Server(config)
    server.run()
    if not server.started:
        sys.exit(1)


class Background:
    """Tasks that must not end. One that raises is started again; all end with the app."""

    def __init__(self) -> None:
        self._runs: dict[str, Callable[[], Awaitable[None]]] = {}
        self._troubles: dict[str, str | None] = {}

    def add(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Let `run` run from start to stop of the app."""
        self._runs[name] = run
        self._troubles[name] = "not started"

    async def check(self, name: str) -> str | None:
        """Why a task is not running, for readiness."""
        return self._troubles[name]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """All tasks run inside this."""
        tasks = [
            asyncio.get_running_loop().create_task(self._supervise(name, run), name=name)
            for name, run in self._runs.items()
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _supervise(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        pause = FIRST_PAUSE
        while True:
            began = asyncio.get_running_loop().time()
            self._troubles[name] = None
            try:
                await run()
                self._troubles[name] = "ended"
            except Exception as error:  # noqa: BLE001 - whatever broke it, it is started again
                self._troubles[name] = type(error).__name__
                _log.error("background task broke", task=name, exc_info=error)
            metrics.increment("revocast_background_restarts_total", task=name)
            if asyncio.get_running_loop().time() - began > LONGEST_PAUSE:
                pause = FIRST_PAUSE
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - jitter
            pause = min(LONGEST_PAUSE, pause * 2)
