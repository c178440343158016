"""Kafka dies (SIGKILL) for 15 seconds amid traffic: what each part promises for that time and
after it. Nobody touches anything but the broker."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest

from revocast import Guard, RevokedToken, Unavailable, policies
from revocast_contracts.lifetimes import SKEW
from tests.support.breakable import BreakableSystem, breakable
from tests.support.deadlines import until
from tests.support.ledger import Auditor, assert_each_once, operator_token
from tests.support.postgres import apart
from tests.support.tokens import claims_of
from tests.support.traffic import Traffic, signed_in

OUTAGE_SECONDS = 15.0
BOUND = SKEW + timedelta(seconds=5)
"""The guards' bound: they are stale five seconds after the last watermark."""

POLICIES = {
    "closed": policies.closed,
    "open": policies.open,
    "bounded, token young enough": policies.bounded(timedelta(minutes=10)),
    "bounded, token too old": policies.bounded(timedelta(seconds=1)),
}
ACCEPTED, REVOKED, UNAVAILABLE = "accepted", "revoked", "unavailable"


@dataclass(slots=True)
class Outage:
    """What was seen. `revoked` are the tokens that were revoked while Kafka was down, by how."""

    system: BreakableSystem
    traffic: Traffic
    revoked: dict[str, str]
    good: str
    before: dict[str, str] = field(default_factory=dict)
    stale: dict[str, str] = field(default_factory=dict)
    stale_and_revoked_before: dict[str, str] = field(default_factory=dict)
    answered_meanwhile: int = 0
    troubled: dict[str, Any] = field(default_factory=dict)
    unready: set[str] = field(default_factory=set)
    api_when_stale: tuple[int, int] = (0, 0)
    afterwards: dict[str, list[str]] = field(default_factory=dict)
    kill: dict[str, Any] = field(default_factory=dict)
    pids: list[dict[str, int]] = field(default_factory=list)


@pytest.fixture(scope="module")
def system() -> Iterator[BreakableSystem]:
    """A system whose broker this module kills."""
    with breakable() as system:
        yield system


@pytest.fixture(scope="module")
def outage(system: BreakableSystem) -> Outage:
    """The outage, once for all tests."""
    return apart(_Play(system).play())


def test_the_issuer_keeps_issuing(outage: Outage) -> None:
    """Tokens and refreshes are answered all the time, none is refused, none hangs."""
    assert outage.answered_meanwhile > 50
    assert outage.traffic.refusals == {}
    assert outage.traffic.lost == 0


@pytest.mark.parametrize(
    ("policy", "answer"),
    [
        ("closed", UNAVAILABLE),
        ("open", ACCEPTED),
        ("bounded, token young enough", ACCEPTED),
        ("bounded, token too old", UNAVAILABLE),
    ],
)
def test_a_stale_guard_follows_its_policy(outage: Outage, policy: str, answer: str) -> None:
    """It accepted the token before, and once it cannot know it does what its owner chose."""
    assert outage.before[policy] == ACCEPTED
    assert outage.stale[policy] == answer


@pytest.mark.parametrize("policy", POLICIES)
def test_what_was_revoked_before_stays_denied_under_every_policy(
    outage: Outage, policy: str
) -> None:
    """Staleness makes nobody forget."""
    assert outage.stale_and_revoked_before[policy] == REVOKED


def test_every_service_says_that_it_cannot_publish_or_know(outage: Outage) -> None:
    """Each says what it lacks; the issuer alone stays ready, and the sample API does as it says."""
    assert set(outage.troubled) == {"issuer", "revocation", "audit", "sample_api"}
    assert outage.unready == {"revocation", "audit", "sample_api"}
    assert outage.troubled["issuer"]["ready"]
    assert outage.troubled["issuer"]["checks"]["database"] == "ok"
    assert outage.troubled["issuer"]["checks"]["relay"] != "ok"
    assert outage.troubled["revocation"]["checks"]["relay"] != "ok"
    assert outage.troubled["audit"]["checks"]["guard"] != "ok"
    assert outage.api_when_stale == (503, 503)


@pytest.mark.parametrize("how", ["theft", "refresh token revoked", "access token revoked", "kill"])
def test_every_revocation_made_meanwhile_is_enforced(outage: Outage, how: str) -> None:
    """A guard that was stale is not ready again before it denies them: never one more accept."""
    seen = outage.afterwards[how]
    assert seen[-1] == REVOKED
    assert ACCEPTED not in seen


def test_a_kill_asked_for_meanwhile_is_pending_then_applied(outage: Outage) -> None:
    """202 without Kafka; the issuer applies it when it hears of it."""
    assert outage.kill["answered"] == (202, "pending")
    assert outage.kill["state"] == "applied"


def test_everything_made_meanwhile_is_audited_once(outage: Outage) -> None:
    """Each event once and in order, each token that a client got, and why each family ended."""
    assert_each_once(outage.system, outage.traffic.answered)
    auditor = Auditor(outage.system)
    for how, event_type in {
        "theft": "revocast.reuse.detected.v1",
        "refresh token revoked": "revocast.family.ended.v1",
        "access token revoked": "revocast.token.revoked.v1",
        "kill": "revocast.kill.completed.v1",
    }.items():
        family = claims_of(outage.revoked[how])["family"]
        types = [record["type"] for record in auditor.records(family=family)]
        assert types.count(event_type) == 1, how


def test_nobody_needs_to_touch_anything(outage: Outage) -> None:
    """The same processes are ready again by themselves."""
    before, after = outage.pids
    assert before == after
    outage.system.wait_until_ready()


class _Play:
    """Plays the outage and writes down what it sees; judging is for the tests."""

    def __init__(self, system: BreakableSystem) -> None:
        self.system = system
        self.web = system.demo.clients["web"]
        self.operator = operator_token(system, "revocation", "revocations.read revocations.write")
        names = ("theft", "refresh token revoked", "access token revoked", "kill")
        self.families = dict(zip(names, signed_in(system, len(names)), strict=True))
        self.earlier, self.good, *self.chains = signed_in(system, 4)
        self.http = httpx.Client(timeout=20)
        self.story = system.story(self.http)

    async def play(self) -> Outage:
        stolen = self.families["theft"]
        self.families["theft"] = self.story.refresh(self.web, self.story.refresh(self.web, stolen))
        tokens = {how: each["access_token"] for how, each in self.families.items()}
        self.seen = Outage(self.system, Traffic(self.system), tokens, self.good["access_token"])
        self.seen.pids.append(self.system.pids())
        self._revoke("refresh_token", self.earlier["refresh_token"])
        async with self._guards() as guards, self.seen.traffic.flowing(self.chains):
            await self._before(guards)
            await asyncio.to_thread(self.system.broker.kill)
            killed_at = time.monotonic()
            answered = len(self.seen.traffic.answered)
            await asyncio.to_thread(self._revoke_all, stolen)
            await self._while_stale(guards, until_at=killed_at + OUTAGE_SECONDS)
            self.seen.answered_meanwhile = len(self.seen.traffic.answered) - answered
            starting = asyncio.create_task(asyncio.to_thread(self.system.broker.start))
            await self._watch_recovery(guards["closed"])
            await starting
            await asyncio.to_thread(self.system.wait_until_ready)
        self.seen.kill["state"] = self._kill_state()
        self.seen.pids.append(self.system.pids())
        self.http.close()
        return self.seen

    @asynccontextmanager
    async def _guards(self) -> AsyncIterator[dict[str, Guard]]:
        async with AsyncExitStack() as stack:
            guards = {}
            for name, policy in POLICIES.items():
                guard = Guard(
                    issuer=self.system.demo.issuer,
                    audience=self.system.demo.urls["sample_api"],
                    kafka=self.system.kafka.bootstrap,
                    policy=policy,
                    max_staleness=BOUND,
                )
                guards[name] = await stack.enter_async_context(guard)
            yield guards

    async def _before(self, guards: dict[str, Guard]) -> None:
        await until(lambda: all(guard.ready for guard in guards.values()), seconds=60)
        for name, guard in guards.items():
            self.seen.before[name] = await _ask(guard, self.seen.good)
            await _until_denied(guard, self.earlier["access_token"])

    async def _while_stale(self, guards: dict[str, Guard], *, until_at: float) -> None:
        await until(lambda: not any(guard.ready for guard in guards.values()), seconds=60)
        for name, guard in guards.items():
            self.seen.stale[name] = await _ask(guard, self.seen.good)
            earlier = self.earlier["access_token"]
            self.seen.stale_and_revoked_before[name] = await _ask(guard, earlier)
        await until(lambda: time.monotonic() > until_at, seconds=60)
        async with asyncio.timeout(90):
            while len(self.seen.troubled) < len(self.system.stack.services):
                self.seen.troubled = await asyncio.to_thread(self.system.troubled)
            self.seen.unready = set(await asyncio.to_thread(self.system.unready))
        ready = await asyncio.to_thread(self.system.readiness, "sample_api")
        answer = await asyncio.to_thread(self.story.call_api, self.seen.good)
        self.seen.api_when_stale = (ready[0], answer.status_code)

    def _revoke_all(self, stolen: dict[str, Any]) -> None:
        self.story.expect_invalid_grant(self.web, stolen["refresh_token"])
        self._revoke("refresh_token", self.families["refresh token revoked"]["refresh_token"])
        self._revoke("access_token", self.families["access token revoked"]["access_token"])
        family = claims_of(self.seen.revoked["kill"])["family"]
        answer = self.http.post(
            f"{self.system.demo.urls['revocation']}/revocations",
            params={"wait": 0},
            json={"selector": {"family": family}, "reason": "a test"},
            headers={"Authorization": f"Bearer {self.operator}"},
        )
        self.seen.kill["answered"] = (answer.status_code, answer.json().get("state"))
        self.seen.kill["location"] = answer.headers.get("location")

    def _revoke(self, kind: str, token: str) -> None:
        answer = self.http.post(
            f"{self.system.demo.issuer}/revoke",
            data={"token": token, "token_type_hint": kind},
            auth=(self.web.client_id, self.web.client_secret or ""),
        )
        assert answer.status_code == 200, answer.text

    async def _watch_recovery(self, closed: Guard) -> None:
        """Ask until each revoked token is denied for being revoked; keep every answer."""
        waiting = dict(self.seen.revoked)
        self.seen.afterwards = {how: [] for how in waiting}
        async with asyncio.timeout(90):
            while waiting:
                for how, token in list(waiting.items()):
                    self.seen.afterwards[how].append(await _ask(closed, token))
                    if self.seen.afterwards[how][-1] == REVOKED and closed.ready:
                        del waiting[how]
                await asyncio.sleep(0.02)

    def _kill_state(self) -> Any:
        deadline = time.monotonic() + 60
        bearer = {"Authorization": f"Bearer {self.operator}"}
        url = f"{self.system.demo.urls['revocation']}{self.seen.kill['location']}"
        while True:
            state = self.http.get(url, headers=bearer).json().get("state")
            if state == "applied" or time.monotonic() > deadline:
                return state


async def _ask(guard: Guard, token: str) -> str:
    try:
        await guard.check(token)
    except RevokedToken:
        return REVOKED
    except Unavailable:
        return UNAVAILABLE
    return ACCEPTED


async def _until_denied(guard: Guard, token: str) -> None:
    async with asyncio.timeout(30):
        while await _ask(guard, token) != REVOKED:
            await asyncio.sleep(0.02)
