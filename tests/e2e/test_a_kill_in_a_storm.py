"""A kill while tokens are being issued: nothing older is accepted or minted after it."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from cli.demo import DemoClient
from cli.story import Story
from tests.support.deadlines import until
from tests.support.system import System
from tests.support.tokens import claims_of

FAMILIES = 8
CODES = 40
KEPT = 5
"""Codes of before the kill that are presented only after it was answered as applied."""
SOME = 5
"""Answers of each kind before the kill is asked for, and of machines after it was applied."""


@dataclass(slots=True)
class Storm:
    """Requests of every kind at one issuer. `before` and `after` are the kill's answer."""

    system: System
    wire: httpx.AsyncClient
    refreshed: list[str] = field(default_factory=list)
    exchanged: list[str] = field(default_factory=list)
    machines: list[str] = field(default_factory=list)
    machines_after: list[str] = field(default_factory=list)
    refused_codes: int = 0
    killed: asyncio.Event = field(default_factory=asyncio.Event)

    async def refresh_until_refused(self, refresh_token: str) -> str:
        """A chain; the refresh token that was refused."""
        web = self.system.demo.clients["web"]
        while True:
            grant = {"grant_type": "refresh_token", "refresh_token": refresh_token}
            answer = await self.token(web, grant)
            if answer.status_code != 200:
                assert answer.json()["error"] == "invalid_grant"
                return refresh_token
            self.refreshed.append(answer.json()["access_token"])
            refresh_token = answer.json()["refresh_token"]

    async def exchange(self, grants: list[dict[str, str]]) -> None:
        """One code after the other; the last ones only when the kill is applied."""
        for grant in grants[:-KEPT]:
            await self.exchange_one(grant)
        await self.killed.wait()
        for grant in grants[-KEPT:]:
            before = len(self.exchanged)
            await self.exchange_one(grant)
            assert len(self.exchanged) == before, "a code of before the kill was good after it"

    async def exchange_one(self, grant: dict[str, str]) -> None:
        """A code, for tokens or a refusal."""
        answer = await self.token(self.system.demo.clients["web2"], grant)
        if answer.status_code == 200:
            self.exchanged.append(answer.json()["access_token"])
        else:
            assert answer.json()["error"] == "invalid_grant"
            self.refused_codes += 1

    async def ask_as_a_machine(self) -> None:
        """Client credentials without a pause, until some were given after the kill."""
        machine = self.system.demo.clients["machine"]
        while len(self.machines_after) < SOME:
            into = self.machines_after if self.killed.is_set() else self.machines
            answer = await self.token(machine, {"grant_type": "client_credentials"})
            assert answer.status_code == 200, answer.text
            into.append(answer.json()["access_token"])

    async def token(self, client: DemoClient, grant: dict[str, str]) -> httpx.Response:
        """Ask the token endpoint, again where it says that it is too early."""
        auth = (client.client_id, client.client_secret or "")
        while True:
            answer = await self.wire.post(f"{self.system.demo.issuer}/token", data=grant, auth=auth)
            if answer.status_code != 503:
                return answer

    async def kill(self, operator: str, **selector: str) -> None:
        """A kill that has to be answered as applied."""
        answer = await self.wire.post(
            f"{self.system.demo.urls['revocation']}/revocations",
            json={"selector": selector, "reason": "a test <script>"},
            headers={"Authorization": f"Bearer {operator}"},
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["state"] == "applied"
        self.killed.set()

    async def accepted(self, tokens: list[str]) -> set[int]:
        """What the guarded API answers to all of them."""
        url = f"{self.system.demo.urls['sample_api']}/orders"
        answers = [
            await self.wire.get(url, headers={"Authorization": f"Bearer {token}"})
            for token in tokens
        ]
        return {answer.status_code for answer in answers}


async def test_nothing_of_the_subject_survives(system: System) -> None:
    """After `applied`, no older token is accepted, no family and no code mints; machines go on."""
    families, grants, operator = _signed_in(system)
    subject = claims_of(families[0]["access_token"])["sub"]
    async with httpx.AsyncClient(timeout=30) as wire:
        storm = Storm(system, wire)
        async with asyncio.timeout(90), asyncio.TaskGroup() as tasks:
            chains = [
                tasks.create_task(storm.refresh_until_refused(tokens["refresh_token"]))
                for tokens in families
            ]
            tasks.create_task(storm.exchange(grants))
            tasks.create_task(storm.ask_as_a_machine())
            await until(
                lambda: (
                    min(len(storm.exchanged), len(storm.machines)) >= SOME
                    and len(storm.refreshed) >= SOME * FAMILIES
                )
            )
            assert storm.refused_codes == 0
            await storm.kill(operator, subject=subject)
        assert storm.refused_codes >= KEPT
        first = [tokens["access_token"] for tokens in families]
        assert await storm.accepted([*first, *storm.refreshed, *storm.exchanged]) == {401}
        assert await storm.accepted([*storm.machines, *storm.machines_after]) == {200}
        for chain in chains:
            grant = {"grant_type": "refresh_token", "refresh_token": chain.result()}
            again = await storm.token(system.demo.clients["web"], grant)
            assert again.json()["error"] == "invalid_grant"


async def test_a_kill_of_a_machine_ends_the_tokens_it_has(system: System) -> None:
    """After `applied`, no token of before is accepted; what it asks for afterwards is good."""
    with httpx.Client(timeout=10) as http:
        operator = _operator(system, system.story(http))
    async with httpx.AsyncClient(timeout=30) as wire:
        storm = Storm(system, wire)
        async with asyncio.timeout(90), asyncio.TaskGroup() as tasks:
            tasks.create_task(storm.ask_as_a_machine())
            await until(lambda: len(storm.machines) >= SOME)
            assert await storm.accepted(older := list(storm.machines)) == {200}
            await storm.kill(operator, client=system.demo.clients["machine"].client_id)
        assert await storm.accepted(older) == {401}
        assert await storm.accepted(storm.machines_after) == {200}


def _signed_in(system: System) -> tuple[list[dict[str, Any]], list[dict[str, str]], str]:
    """Families of the user, codes of the user that nobody has redeemed, and an operator."""
    user, api = system.demo.user, system.demo.urls["sample_api"]
    web, web2 = system.demo.clients["web"], system.demo.clients["web2"]
    with httpx.Client(timeout=10) as http, httpx.Client(timeout=10) as browser:
        story = system.story(http)
        operator = _operator(system, story)
        families = [story.sign_in(web, user, "orders.read", api, browser) for _ in range(FAMILIES)]
        grants = [story.authorize(web2, user, "orders.read", api, browser) for _ in range(CODES)]
    return families, grants, operator


def test_who_signs_in_after_the_kill_is_let_in(system: System) -> None:
    """A kill ends what was; a sign-in of the next second is good everywhere."""
    web, api = system.demo.clients["web"], system.demo.urls["sample_api"]
    with httpx.Client(timeout=10) as http, httpx.Client(timeout=10) as browser:
        story = system.story(http)
        subject = claims_of(
            story.sign_in(web, system.demo.user, "orders.read", api, browser)["access_token"]
        )["sub"]
        operator = _operator(system, story)
        killed = http.post(
            f"{system.demo.urls['revocation']}/revocations",
            json={"selector": {"subject": subject}, "reason": "a test"},
            headers={"Authorization": f"Bearer {operator}"},
        )
        assert killed.json()["state"] == "applied"
    with httpx.Client(timeout=10) as http, httpx.Client(timeout=10) as browser:
        tokens = system.story(http).sign_in(web, system.demo.user, "orders.read", api, browser)
        deadline = time.monotonic() + 10
        while system.story(http).call_api(tokens["access_token"]).status_code != 200:
            assert time.monotonic() < deadline, "the new sign-in is still refused"


def _operator(system: System, story: Story) -> str:
    with httpx.Client(timeout=10) as browser:
        tokens = story.sign_in(
            system.demo.clients["web"],
            system.demo.operator,
            "revocations.write",
            system.demo.urls["revocation"],
            browser,
        )
    token: str = tokens["access_token"]
    return token
