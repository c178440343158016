"""The issuer's database is put back to an older state beneath two running replicas, and Kafka is
away meanwhile: promises 1, 2, 4 and 6 afterwards. Nobody touches anything but the servers."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import pytest

from cli.issuer_admin import issuer_admin
from issuer.usecases.clients import disable_client
from tests.support.breakable import BreakableSystem, breakable
from tests.support.deadlines import until_sync
from tests.support.ledger import Auditor, operator_token, wait_until_audited
from tests.support.postgres import apart
from tests.support.restores import Restorable, restorable
from tests.support.tokens import claims_of

Tokens = dict[str, Any]


@dataclass(slots=True)
class Restored:
    """What was done before the restore, and what was answered while Kafka was away."""

    system: BreakableSystem
    issuers: list[str]
    chains: dict[str, list[Tokens]] = field(default_factory=dict)
    audited: list[str] = field(default_factory=list)
    meanwhile: Counter[tuple[str, int]] = field(default_factory=Counter)
    why: list[str] = field(default_factory=list)

    def token(self, grant: dict[str, str], *, client: str = "web", at: int = 0) -> httpx.Response:
        """A token request to one of the replicas."""
        who = self.system.demo.clients[client]
        return httpx.post(
            f"{self.issuers[at]}/token",
            data=grant,
            auth=(who.client_id, who.client_secret or ""),
            timeout=10,
        )

    def refresh(self, tokens: Tokens, *, at: int = 0) -> httpx.Response:
        """Present a refresh token."""
        grant = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        return self.token(grant, at=at)

    def introspect(self, tokens: Tokens) -> httpx.Response:
        """Ask about an access token as the API."""
        api = self.system.demo.clients["api"]
        return httpx.post(
            f"{self.issuers[0]}/introspect",
            data={"token": tokens["access_token"]},
            auth=(api.client_id, api.client_secret or ""),
            timeout=10,
        )

    def go_on(self, name: str, times: int) -> None:
        """Refresh a chain so many times."""
        for turn in range(times):
            answer = self.refresh(self.chains[name][-1], at=turn % len(self.issuers))
            assert answer.status_code == 200, answer.text
            self.chains[name].append(answer.json())


@pytest.fixture(scope="module")
def system() -> Iterator[BreakableSystem]:
    """A system whose servers this module stops."""
    with breakable() as system:
        yield system


@pytest.fixture(scope="module")
def restored(system: BreakableSystem) -> Iterator[Restored]:
    """The whole scenario, once for all tests."""
    dsn = system.postgres.address("revocast_issuer")
    with system.more_issuers(1) as others, restorable(system.postgres, dsn) as database:
        seen = Restored(system, [system.demo.issuer, *others])
        _live(seen, database)
        system.broker.stop()
        database.restore()
        _ask_meanwhile(seen)
        system.broker.start()
        system.wait_until_ready(seconds=120)
        until_sync(lambda: _ready(others[0])[0] == 200, seconds=60)
        yield seen


def _live(seen: Restored, database: Restorable) -> None:
    """Sign in, back up, and then everything that the backup does not have."""
    for name in ("honest", "spent", "stolen"):
        seen.chains[name] = [_sign_in(seen.system, "operator")]
    seen.chains["killed"] = [_sign_in(seen.system, "user")]
    wait_until_audited(seen.system)
    database.back_up()
    seen.system.wait_until_ready()
    seen.go_on("honest", 5)
    seen.go_on("spent", 3)
    seen.go_on("stolen", 2)
    assert seen.refresh(seen.chains["stolen"][0]).status_code == 400
    seen.go_on("killed", 1)
    _kill_user(seen)
    apart(_disable_machine(seen.system))
    wait_until_audited(seen.system)
    seen.audited = [record["event_id"] for record in Auditor(seen.system).records()]
    wait_until_audited(seen.system)


def _ask_meanwhile(seen: Restored) -> None:
    """Every replica reconnects, and then refuses: the log was not compared."""
    for at, issuer in enumerate(seen.issuers):
        until_sync(partial(_refuses, issuer), seconds=60)
        seen.why.append(_why(issuer) or "")
        for chain in seen.chains.values():
            seen.meanwhile["latest", seen.refresh(chain[-1], at=at).status_code] += 1
            seen.meanwhile["first", seen.refresh(chain[0], at=at).status_code] += 1
    seen.meanwhile["introspect", seen.introspect(seen.chains["honest"][-1]).status_code] += 1


def _sign_in(system: BreakableSystem, who: str) -> Tokens:
    person = system.demo.operator if who == "operator" else system.demo.user
    service, scope = ("audit", "audit.read") if who == "operator" else ("sample_api", "orders.read")
    with httpx.Client(timeout=10) as http, httpx.Client(timeout=10) as browser:
        web, url = system.demo.clients["web"], system.demo.urls[service]
        return system.story(http).sign_in(web, person, scope, url, browser)


def _kill_user(seen: Restored) -> None:
    subject = claims_of(seen.chains["killed"][0]["access_token"])["sub"]
    bearer = operator_token(seen.system, "revocation", "revocations.read revocations.write")
    url = seen.system.demo.urls["revocation"]
    with httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {bearer}"}, timeout=30
    ) as api:
        body = {"selector": {"subject": subject}, "reason": "stolen laptop"}
        answer = api.post("/revocations", json=body)
        assert answer.is_success, answer.text
        kill = f"/revocations/{answer.json()['id']}"
        until_sync(lambda: api.get(kill).json()["state"] == "applied", seconds=60)


async def _disable_machine(system: BreakableSystem) -> None:
    async with issuer_admin(system.stack.environment("issuer")) as admin:
        machine = system.demo.clients["machine"].client_id
        assert await disable_client(admin.pool, machine, actor="test", correlation_id="test")


def _ready(url: str) -> tuple[int, dict[str, Any]]:
    try:
        answer = httpx.get(f"{url}/readyz", timeout=5)
    except httpx.HTTPError:
        return 0, {}
    return answer.status_code, answer.json()["checks"]


def _refuses(issuer: str) -> bool:
    return _why(issuer) is not None


def _why(url: str) -> str | None:
    """What the replica says of the log once it reaches the database again."""
    _, checks = _ready(url)
    found = checks.get("log")
    return found if checks.get("database") == "ok" and found != "ok" else None


def _refused(answer: httpx.Response) -> bool:
    return answer.status_code == 400 and answer.json()["error"] == "invalid_grant"


def test_nothing_is_issued_before_the_log_was_read(restored: Restored) -> None:
    """Until Kafka is back every replica answers 503, and its `/readyz` says why."""
    assert restored.meanwhile == {("latest", 503): 8, ("first", 503): 8, ("introspect", 503): 1}
    assert all("compared with the log" in why for why in restored.why)


def test_1_a_spent_token_buys_no_second_successor(restored: Restored) -> None:
    """Neither replica takes a token that was spent after the backup; its family ends."""
    chain = restored.chains["spent"]
    assert _refused(restored.refresh(chain[0], at=1))
    assert all(_refused(restored.refresh(tokens)) for tokens in chain)


def test_2_a_stolen_family_stays_ended(restored: Restored) -> None:
    """Its theft was noticed after the backup; all of its tokens are dead, also to introspection."""
    chain = restored.chains["stolen"]
    assert all(_refused(restored.refresh(tokens)) for tokens in chain)
    assert restored.introspect(chain[-1]).json() == {"active": False}


def test_3_the_honest_client_goes_on(restored: Restored) -> None:
    """Its latest token is good, at one replica and the other; introspection knows its family."""
    restored.go_on("honest", 4)
    assert restored.introspect(restored.chains["honest"][-1]).json()["active"] is True
    family = {claims_of(tokens["access_token"])["family"] for tokens in restored.chains["honest"]}
    assert len(family) == 1


def test_4_a_kill_is_not_forgotten(restored: Restored) -> None:
    """The killed person's older families stay dead; a new sign-in of theirs lives."""
    assert all(_refused(restored.refresh(tokens)) for tokens in restored.chains["killed"])
    again = _sign_in(restored.system, "user")
    answer = restored.refresh(again, at=1)
    assert answer.status_code == 200, answer.text


def test_4_a_disabled_client_stays_disabled(restored: Restored) -> None:
    """The client that was switched off after the backup gets nothing."""
    grant = {"grant_type": "client_credentials", "scope": "orders.read"}
    assert restored.token(grant, client="machine").status_code in {400, 401}


def test_6_each_event_is_recorded_once(restored: Restored) -> None:
    """What was audited before the restore is there once, and so is all that came after it."""
    before = set(restored.audited)
    until_sync(lambda: len(Auditor(restored.system).records()) > len(before), seconds=60)
    records = Auditor(restored.system).records()
    ids = Counter(record["event_id"] for record in records)
    assert max(ids.values()) == 1
    assert before <= set(ids)
    assert [record["index"] for record in records] == list(range(len(records)))
    rotated = Counter(
        (record["event"]["data"]["family"], record["event"]["data"]["generation"])
        for record in records
        if record["type"] == "revocast.token.rotated.v1"
    )
    assert max(rotated.values()) == 1, "a chain forked"
