"""The revocation service's routes on a real database, behind a real guard with a quiet feed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
from fastapi import FastAPI

from revocast import Guard, Revocations
from revocation.api.entries import entry_routes
from revocation.api.kill_request import LARGEST_BODY
from revocation.api.kills import kill_routes
from revocation.api.parts import Parts
from revocation.usecases.wait_for_kill import Completions
from servicekit import problems
from servicekit.correlation import CorrelationMiddleware
from servicekit.limits import BodyLimit
from servicekit.postgres import Pool
from tests.integration.revocast.support import IssuerServer, issuer_server, until
from tests.support.revocation import HASH_KEY
from tests.unit.revocast.support import members, sign

URL = "http://revocation.test"


@dataclass(slots=True)
class QuietFeed:
    """A feed that is up to date and knows of no revocation."""

    revocations: Revocations = field(default_factory=Revocations)

    async def start(self) -> None:
        """Nothing has to be read."""

    async def stop(self) -> None:
        """Nothing runs."""

    def staleness(self) -> timedelta | None:
        """Never behind."""
        return timedelta(0)

    def trouble(self, max_staleness: timedelta) -> str | None:
        """Never any."""
        del max_staleness
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """A client of the routes, and tokens for it."""

    client: httpx.AsyncClient
    issuer: IssuerServer
    completions: Completions

    def token(self, scope: str = "revocations.read revocations.write", **changes: Any) -> str:
        """An operator's token."""
        standard = {"iss": self.issuer.url, "aud": URL, "sub": "operator", "jti": str(uuid4())}
        return sign(members(scope=scope, **(standard | changes)), self.issuer.keys[0])

    def authorization(self, **changes: Any) -> dict[str, str]:
        """The header of an operator."""
        return {"Authorization": f"Bearer {self.token(**changes)}"}

    async def post(
        self, body: dict[str, Any], *, headers: dict[str, str] | None = None, **query: Any
    ) -> httpx.Response:
        """`POST /revocations` as an operator, by default without waiting."""
        return await self.client.post(
            "/revocations",
            json=body,
            params={"wait": 0} | query,
            headers=self.authorization() | (headers or {}),
        )

    async def get(self, path: str = "/revocations", **query: Any) -> httpx.Response:
        """`GET` as an operator."""
        return await self.client.get(path, params=query, headers=self.authorization())


@asynccontextmanager
async def running_api(pool: Pool) -> AsyncIterator[Api]:
    """The routes, served."""
    completions = Completions()
    async with (
        issuer_server() as issuer,
        Guard(issuer=issuer.url, audience=URL, feed=QuietFeed()) as guard,
    ):
        await until(lambda: guard.ready)
        app = _app(pool, guard, issuer.url, completions)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
            yield Api(client=client, issuer=issuer, completions=completions)


def _app(pool: Pool, guard: Guard, issuer_url: str, completions: Completions) -> FastAPI:
    parts = Parts(
        pool=pool,
        guard=guard,
        issuer_url=issuer_url,
        hash_key=HASH_KEY,
        poke=lambda: None,
        completions=completions,
        wait_seconds=5,
        longest_wait_seconds=30,
    )
    app = FastAPI()
    app.add_middleware(BodyLimit, longest=LARGEST_BODY)
    app.add_middleware(CorrelationMiddleware)
    problems.install(app)
    app.include_router(entry_routes(parts))
    app.include_router(kill_routes(parts))
    return app
