"""`/livez` says that the loop turns, `/readyz` the truth about everything a request needs."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from servicekit import metrics

Check = Callable[[], Awaitable[str | None]]

CHECK_SECONDS = 2.0
"""A check that takes longer counts as failed: probes wait a few seconds at most."""


class Health:
    """Named checks. A check returns None when all is well, else why not."""

    def __init__(self, *, check_seconds: float = CHECK_SECONDS) -> None:
        self._checks: dict[str, Check] = {}
        self._unneeded: set[str] = set()
        self._passed: set[str] = set()
        self._check_seconds = check_seconds

    def add(self, name: str, check: Check, *, needed: bool = True) -> None:
        """Let readiness depend on a check.

        One that is not `needed` to answer requests holds readiness back only until it has passed
        once, so that a roll-out with wrong settings stops; after that it is only told.
        """
        self._checks[name] = check
        if not needed:
            self._unneeded.add(name)

    async def report(self) -> dict[str, str | None]:
        """Every check's answer, asked at once."""
        answers = await asyncio.gather(*map(self._ask, self._checks.values()))
        report = dict(zip(self._checks, answers, strict=True))
        for name, why in report.items():
            metrics.set_gauge("revocast_ready", float(why is None), check=name)
        self._passed |= {name for name, why in report.items() if why is None}
        return report

    def ready(self, report: Mapping[str, str | None]) -> bool:
        """Whether requests can be answered, given a report."""
        failed = {name for name, why in report.items() if why is not None}
        return not failed - (self._unneeded & self._passed)

    async def _ask(self, check: Check) -> str | None:
        try:
            async with asyncio.timeout(self._check_seconds):
                return await check()
        except TimeoutError:
            return f"no answer within {self._check_seconds:g} s"
        except Exception as error:  # noqa: BLE001 - a check that breaks is a check that failed
            return type(error).__name__


def router(health: Health) -> APIRouter:
    """`/livez`, `/readyz` and `/metrics`."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/livez")
    async def livez() -> dict[str, bool]:
        return {"alive": True}

    @routes.get("/readyz")
    async def readyz() -> JSONResponse:
        report = await health.report()
        ready = health.ready(report)
        body = {"ready": ready, "checks": {name: why or "ok" for name, why in report.items()}}
        return JSONResponse(body, status_code=200 if ready else 503)

    @routes.get("/metrics")
    async def exposition() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return routes
