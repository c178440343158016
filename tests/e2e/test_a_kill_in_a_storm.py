"""A subject kill while tokens are being issued: nothing older is accepted or minted after it."""

import asyncio
import json
import time
from base64 import urlsafe_b64decode
from typing import Any

import httpx

from cli.story import Story
from tests.support.system import System

FAMILIES = 8


async def test_nothing_of_the_subject_survives(system: System) -> None:
    """After `applied`, every older token is refused by the ready guard, and no family mints."""
    web, api = system.demo.clients["web"], system.demo.urls["sample_api"]
    with httpx.Client(timeout=10) as http, httpx.Client(timeout=10) as browser:
        story = system.story(http)
        families = [
            story.sign_in(web, system.demo.user, "orders.read", api, browser)
            for _ in range(FAMILIES)
        ]
        operator = _operator(system, story)
    issued: list[str] = [tokens["access_token"] for tokens in families]
    stormy = asyncio.Event()
    auth = (web.client_id, web.client_secret or "")

    async with httpx.AsyncClient(timeout=30) as wire:

        async def refresh_until_refused(refresh_token: str) -> str:
            while True:
                grant = {"grant_type": "refresh_token", "refresh_token": refresh_token}
                answer = await wire.post(f"{system.demo.issuer}/token", data=grant, auth=auth)
                if answer.status_code != 200:
                    assert answer.json()["error"] == "invalid_grant"
                    return refresh_token
                issued.append(answer.json()["access_token"])
                refresh_token = answer.json()["refresh_token"]
                if len(issued) > 5 * FAMILIES:
                    stormy.set()

        async with asyncio.timeout(60), asyncio.TaskGroup() as storm:
            chains = [
                storm.create_task(refresh_until_refused(tokens["refresh_token"]))
                for tokens in families
            ]
            await stormy.wait()
            killed = await wire.post(
                f"{system.demo.urls['revocation']}/revocations",
                json={
                    "selector": {"subject": _claims(issued[0])["sub"]},
                    "reason": "a test <script>",
                },
                headers={"Authorization": f"Bearer {operator}"},
            )
        assert killed.status_code == 200, killed.text
        assert killed.json()["state"] == "applied"
        answers = [
            await wire.get(f"{api}/orders", headers={"Authorization": f"Bearer {token}"})
            for token in issued
        ]
        assert {answer.status_code for answer in answers} == {401}
        for chain in chains:
            grant = {"grant_type": "refresh_token", "refresh_token": chain.result()}
            again = await wire.post(f"{system.demo.issuer}/token", data=grant, auth=auth)
            assert again.json()["error"] == "invalid_grant"


def test_who_signs_in_after_the_kill_is_let_in(system: System) -> None:
    """A kill ends what was; a sign-in of the next second is good everywhere."""
    web, api = system.demo.clients["web"], system.demo.urls["sample_api"]
    with httpx.Client(timeout=10) as http, httpx.Client(timeout=10) as browser:
        story = system.story(http)
        subject = _claims(
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


def _claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims
