"""Promise 4 where the issuer hears nothing: a kill stays in force until it is applied, though every
token that was out when it was decided has expired long since."""

import asyncio
import time
from typing import Any

import httpx

from cli.story import Story
from messaging.acls import Grant
from revocast_contracts.topics import REVOCATIONS
from tests.support.deadlines import until_sync
from tests.support.guarded_system import guarded_system
from tests.support.ledger import operator_token
from tests.support.postgres import execute
from tests.support.system import System
from tests.support.tokens import claims_of

LIFETIME_SECONDS = 60
"""The shortest that an access token may live."""

LIVE_SHORTLY = "UPDATE client SET access_token_lifetime = '60 s'"

PACE_SECONDS = 1.0
"""Between two refreshes of the client, which notices nothing."""

READING = Grant(operation="Read", kind="topic", name=REVOCATIONS.name)


async def test_what_it_mints_meanwhile_is_refused_everywhere() -> None:
    """It goes on refreshing; nobody accepts what it mints, and it stops when it hears."""
    with guarded_system() as guarded, httpx.Client(timeout=10) as http:
        system, story = guarded.system, guarded.system.story(http)
        operator = operator_token(system, "revocation", "revocations.read revocations.write")
        http.headers["Authorization"] = f"Bearer {operator}"
        execute(system.postgres.address("revocast_issuer"), LIVE_SHORTLY)
        tokens = _sign_in(system)
        until_sync(lambda: _status(story, tokens) == 200)
        async with guarded.kafka.refusing("issuer", READING):
            until_sync(lambda: _introspection(system, tokens) == 503, seconds=60)
            kill = _kill(system, http, subject=claims_of(tokens["access_token"])["sub"])
            until_sync(lambda: _status(story, tokens) == 401)
            end, refreshes = time.monotonic() + LIFETIME_SECONDS + 5, 0
            while time.monotonic() < end:
                tokens = story.refresh(system.demo.clients["web"], tokens)
                claims = claims_of(tokens["access_token"])
                assert claims["exp"] - claims["iat"] == LIFETIME_SECONDS
                assert _status(story, tokens) == 401
                refreshes += 1
                await asyncio.sleep(PACE_SECONDS)
            assert refreshes > 10
            assert _state(http, kill) == "pending"
        until_sync(lambda: _state(http, kill) == "applied", seconds=60)
        story.expect_invalid_grant(system.demo.clients["web"], tokens["refresh_token"])
        assert _status(story, tokens) == 401
        anew = _sign_in(system)
        until_sync(lambda: _status(story, anew) == 200)


def _sign_in(system: System) -> dict[str, Any]:
    with httpx.Client(timeout=10) as http, httpx.Client(timeout=10) as browser:
        return system.story(http).sign_in(
            system.demo.clients["web"],
            system.demo.user,
            "orders.read",
            system.demo.urls["sample_api"],
            browser,
        )


def _kill(system: System, http: httpx.Client, *, subject: str) -> str:
    answer = http.post(
        f"{system.demo.urls['revocation']}/revocations",
        params={"wait": 0},
        json={"selector": {"subject": subject}, "reason": "a test"},
    )
    assert (answer.status_code, answer.json()["state"]) == (202, "pending"), answer.text
    return str(answer.url.join(answer.headers["location"]))


def _state(http: httpx.Client, kill: str) -> str:
    state: str = http.get(kill).json()["state"]
    return state


def _introspection(system: System, tokens: dict[str, Any]) -> int:
    """The issuer refuses to vouch for a token as soon as it can't read."""
    api = system.demo.clients["api"]
    return httpx.post(
        f"{system.demo.issuer}/introspect",
        data={"token": tokens["access_token"]},
        auth=(api.client_id, api.client_secret or ""),
    ).status_code


def _status(story: Story, tokens: dict[str, Any]) -> int:
    return story.call_api(tokens["access_token"]).status_code
