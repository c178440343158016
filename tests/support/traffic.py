"""Clients that ask the issuer all the time, and remember what they were answered."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx

from cli.demo import DemoClient
from tests.support.system import System
from tests.support.tokens import claims_of

PACE_SECONDS = 0.05
"""Between two requests of one client: some dozen a second over all, on two cores."""


class Traffic:
    """`answered` are the jti of all tokens that arrived; `refusals` counts the other answers.

    `lost` counts requests without an answer: nobody can say what became of them.
    """

    def __init__(self, system: System, issuers: Sequence[str] = ()) -> None:
        self.answered: list[str] = []
        self.refusals: Counter[int] = Counter()
        self.lost = 0
        self._demo = system.demo
        self._issuers = list(issuers) or [system.demo.issuer]
        self._over = asyncio.Event()
        self._wire = httpx.AsyncClient(timeout=10)

    @asynccontextmanager
    async def flowing(self, chains: Sequence[dict[str, Any]] = ()) -> AsyncIterator["Traffic"]:
        """Client credentials at every issuer, and one refresh chain for each of `chains`."""
        async with self._wire, asyncio.TaskGroup() as clients:
            for issuer in self._issuers:
                clients.create_task(self._machine(issuer))
            for tokens in chains:
                clients.create_task(self._chain(tokens))
            try:
                yield self
            finally:
                self._over.set()

    async def _machine(self, issuer: str) -> None:
        grant = {"grant_type": "client_credentials", "scope": "orders.read"}
        while not self._over.is_set():
            await self._token(issuer, self._demo.clients["machine"], grant)
            await self._pause()

    async def _chain(self, tokens: dict[str, Any]) -> None:
        """Refresh for ever; whatever was lost is asked for again, with the same token."""
        turn = 0
        while not self._over.is_set():
            grant = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
            issuer = self._issuers[turn % len(self._issuers)]
            turn += 1
            tokens = await self._token(issuer, self._demo.clients["web"], grant) or tokens
            await self._pause()

    async def _token(
        self, issuer: str, client: DemoClient, grant: dict[str, str]
    ) -> dict[str, Any] | None:
        auth = (client.client_id, client.client_secret or "")
        try:
            answer = await self._wire.post(f"{issuer}/token", data=grant, auth=auth)
        except httpx.HTTPError:
            self.lost += 1
            return None
        if answer.status_code != 200:
            self.refusals[answer.status_code] += 1
            return None
        tokens: dict[str, Any] = answer.json()
        self.answered.append(claims_of(tokens["access_token"])["jti"])
        return tokens

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(PACE_SECONDS):
                await self._over.wait()
        except TimeoutError:
            return


def signed_in(system: System, count: int) -> list[dict[str, Any]]:
    """The tokens of some families of the demo's user at the client `web`, for the sample API."""
    found = []
    for _ in range(count):
        with httpx.Client(timeout=10) as http, httpx.Client(timeout=10) as browser:
            api = system.demo.urls["sample_api"]
            web = system.demo.clients["web"]
            story = system.story(http)
            found.append(story.sign_in(web, system.demo.user, "orders.read", api, browser))
    return found
