"""PostgreSQL stops (fast) for 30 seconds amid traffic: what each part promises for that time and
after it. Nobody touches anything but the server."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from revocast_contracts.dead_letters import LetterDied
from revocast_contracts.topics import DEAD_LETTER
from tests.support.breakable import BreakableSystem, breakable
from tests.support.ledger import Auditor, assert_each_once
from tests.support.postgres import apart
from tests.support.tokens import claims_of
from tests.support.topics import log_ends
from tests.support.traffic import Traffic, signed_in

OUTAGE_SECONDS = 30.0
WITH_DATABASE = {"issuer", "revocation", "audit"}


@dataclass(slots=True)
class Outage:
    """What was seen. `quiet` is a family that nobody used meanwhile."""

    system: BreakableSystem
    traffic: Traffic
    quiet: dict[str, Any]
    refused_at_once: dict[str, Any] = field(default_factory=dict)
    unready: dict[str, Any] = field(default_factory=dict)
    ready_while_down: set[str] = field(default_factory=set)
    api_answers: list[tuple[int, int]] = field(default_factory=list)
    keys: int = 0
    answers: dict[str, int] = field(default_factory=dict)
    pids: list[dict[str, int]] = field(default_factory=list)


@pytest.fixture(scope="module")
def system() -> Iterator[BreakableSystem]:
    """A system whose database server this module stops."""
    with breakable() as system:
        yield system


@pytest.fixture(scope="module")
def outage(system: BreakableSystem) -> Outage:
    """The outage, once for all tests."""
    quiet, *chains = signed_in(system, 4)
    seen = Outage(system, Traffic(system), quiet)
    apart(_play(seen, chains))
    return seen


async def _play(seen: Outage, chains: list[dict[str, Any]]) -> None:
    system, traffic = seen.system, seen.traffic
    seen.pids.append(system.pids())
    async with traffic.flowing(chains):
        await _more_answers(traffic)
        await asyncio.to_thread(system.database.stop)
        over = time.monotonic() + OUTAGE_SECONDS
        await asyncio.to_thread(_ask_everything, seen)
        await asyncio.to_thread(_watch, seen, over)
        await asyncio.to_thread(system.database.start)
        await asyncio.to_thread(system.wait_until_ready)
        await _more_answers(traffic)
    seen.pids.append(system.pids())


def _ask_everything(seen: Outage) -> None:
    """One request to each endpoint that needs the database."""
    issuer, web = seen.system.demo.issuer, seen.system.demo.clients["web"]
    api, urls = seen.system.demo.clients["api"], seen.system.demo.urls
    as_web = (web.client_id, web.client_secret or "")
    as_api = (api.client_id, api.client_secret or "")
    refreshable = seen.quiet["refresh_token"]
    refresh = {"grant_type": "refresh_token", "refresh_token": refreshable}
    revoke = {"token": refreshable}
    token = {"token": seen.quiet["access_token"]}
    asked: dict[str, Callable[[httpx.Client], httpx.Response]] = {
        "refresh": lambda http: http.post(f"{issuer}/token", data=refresh, auth=as_web),
        "introspect": lambda http: http.post(f"{issuer}/introspect", data=token, auth=as_api),
        "revoke": lambda http: http.post(f"{issuer}/revoke", data=revoke, auth=as_web),
        "authorize": lambda http: http.get(f"{issuer}/authorize", params={"client_id": "web"}),
        "userinfo": lambda http: http.get(f"{issuer}/userinfo", headers=_bearer(seen.quiet)),
        "audit": lambda http: http.get(f"{urls['audit']}/records", headers=_bearer(seen.quiet)),
    }
    with httpx.Client(timeout=20) as http:
        seen.answers = {name: ask(http).status_code for name, ask in asked.items()}
        seen.keys = http.get(f"{issuer}/.well-known/jwks.json").status_code


def _watch(seen: Outage, over: float) -> None:
    """Until the time is over and every service has said that it is not ready."""
    system = seen.system
    deadline = time.monotonic() + 120
    with httpx.Client(timeout=10) as http:
        story = system.story(http)
        while time.monotonic() < over or len(seen.unready) < len(system.stack.services):
            assert time.monotonic() < deadline, seen.unready
            seen.unready = system.unready()
            before = system.readiness("sample_api")[0]
            answer = story.call_api(seen.quiet["access_token"]).status_code
            if before == system.readiness("sample_api")[0]:
                seen.api_answers.append((before, answer))
            seen.ready_while_down |= WITH_DATABASE - seen.unready.keys()


def test_nothing_is_lost_or_doubled(outage: Outage) -> None:
    """Each event is audited once and in order, and so is each token that a client got."""
    assert_each_once(outage.system, outage.traffic.answered)


def test_nothing_is_dead_lettered(outage: Outage) -> None:
    """A database that is away makes no record unreadable."""
    assert Auditor(outage.system).records(type=LetterDied.event_type) == []
    assert set(apart(log_ends(outage.system.kafka.bootstrap, DEAD_LETTER)).values()) == {0}


def test_clients_are_told_to_come_again(outage: Outage) -> None:
    """503 while the database is away, and nothing else that would blame the client or us."""
    assert outage.traffic.refusals[503] > 0
    assert set(outage.traffic.refusals) == {503}
    assert outage.traffic.lost == 0
    assert outage.answers == {
        "refresh": 503,
        "introspect": 503,
        "revoke": 503,
        "authorize": 503,
        "userinfo": 503,
        "audit": 401,  # another API's token: that needs no database
    }
    assert outage.keys == 200


@pytest.mark.parametrize("service", sorted(WITH_DATABASE))
def test_a_service_without_its_database_says_so(outage: Outage, service: str) -> None:
    """`/readyz` is 503 from the first question to the last, and names the database."""
    assert service not in outage.ready_while_down
    assert outage.unready[service]["checks"]["database"] != "ok"


def test_the_sample_api_is_ready_exactly_while_it_serves(outage: Outage) -> None:
    """It serves on what it knows until that is too old; its `/readyz` and its answers agree."""
    assert set(outage.api_answers) <= {(200, 200), (503, 503)}
    assert outage.api_answers[0] == (200, 200)
    assert outage.api_answers[-1] == (503, 503)


def test_nobody_needs_to_touch_anything(outage: Outage) -> None:
    """The same processes are ready again, and a family that slept through it goes on."""
    before, after = outage.pids
    assert before == after
    assert outage.system.unready() == {}
    with httpx.Client(timeout=10) as http:
        story = outage.system.story(http)
        fresh = story.refresh(outage.system.demo.clients["web"], outage.quiet)
        assert claims_of(fresh["access_token"])["family"]
        assert story.call_api(fresh["access_token"]).status_code == 200


async def _more_answers(traffic: Traffic) -> None:
    enough = len(traffic.answered) + 60
    async with asyncio.timeout(60):
        while len(traffic.answered) < enough:
            await asyncio.sleep(0.02)


def _bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}
