"""No service needs another to start, and what was done while one was down reaches it afterwards."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import pytest

from cli.story import Story
from tests.support.breakable import BreakableSystem, breakable
from tests.support.deadlines import until_sync
from tests.support.ledger import Auditor, assert_each_once, operator_token
from tests.support.tokens import claims_of
from tests.support.traffic import signed_in


@pytest.fixture(scope="module")
def system() -> Iterator[BreakableSystem]:
    """A system whose services this module stops and starts."""
    with breakable() as system:
        system.unsupervised()
        yield system


@pytest.fixture(autouse=True)
def _all_is_well_again(system: BreakableSystem) -> Iterator[None]:
    yield
    for service in system.stack.services.values():
        service.start()
    system.wait_until_ready()


def test_a_theft_while_revocation_is_down_is_denied_when_it_is_back(
    system: BreakableSystem,
) -> None:
    """The issuer refuses at once by itself; the verdict follows when the service has restarted."""
    web = system.demo.clients["web"]
    (first,) = signed_in(system, 1)
    system.stack.services["revocation"].stop()
    with httpx.Client(timeout=10) as http:
        story = system.story(http)
        third = story.refresh(web, story.refresh(web, first))
        story.expect_invalid_grant(web, first["refresh_token"])
        story.expect_invalid_grant(web, third["refresh_token"])
        assert _status(story, third) != 401
        _start(system, "revocation")
        story.wait_for_denial(third["access_token"], 0)
    assert_each_once(system, [])


def test_what_happens_while_audit_is_down_is_recorded_when_it_is_back(
    system: BreakableSystem,
) -> None:
    """Nobody else notices that audit is away, and it misses nothing."""
    system.stack.services["audit"].stop()
    assert set(system.unready()) == {"audit"}
    web = system.demo.clients["web"]
    (first,) = signed_in(system, 1)
    with httpx.Client(timeout=10) as http:
        story = system.story(http)
        third = story.refresh(web, story.refresh(web, first))
        story.expect_invalid_grant(web, first["refresh_token"])
        story.wait_for_denial(third["access_token"], 0)
    _start(system, "audit")
    assert_each_once(system, [_jti(first), _jti(third)])


def test_a_resource_server_that_was_down_knows_what_was_revoked_meanwhile(
    system: BreakableSystem,
) -> None:
    """It refuses the revoked token from its first answer on, and serves the others."""
    revoked, good = signed_in(system, 2)
    system.stack.services["sample_api"].stop()
    answer = _kill(system, "family", claims_of(revoked["access_token"])["family"])
    assert (answer.status_code, answer.json()["state"]) == (200, "applied")
    system.stack.services["sample_api"].start()
    with httpx.Client(timeout=10) as http:
        story = system.story(http)
        until_sync(lambda: _status(story, good) == 200, seconds=60)
        assert _status(story, revoked) == 401


def test_no_answer_before_the_log_was_read_lets_a_revoked_token_pass(
    system: BreakableSystem,
) -> None:
    """From the first connection to a restarted resource server on, 503 may come, but never 200."""
    (revoked,) = signed_in(system, 1)
    assert _kill(system, "family", claims_of(revoked["access_token"])["family"]).is_success
    api = system.stack.services["sample_api"]
    api.stop()
    api.start()
    seen: list[int] = []
    with httpx.Client(timeout=10) as http:
        story = system.story(http)

        def is_denied() -> bool:
            seen.append(_status(story, revoked))
            return seen[-1] == 401

        until_sync(is_denied, seconds=60)
    assert set(seen) <= {DOWN, 401, 503}


def test_while_the_issuer_is_down_tokens_are_served_and_revoked(system: BreakableSystem) -> None:
    """Resource servers and operators go on without it; it applies the kill when it is back."""
    killed, good = signed_in(system, 2)
    operator = operator_token(system, "revocation", "revocations.read revocations.write")
    system.stack.services["issuer"].stop()
    with httpx.Client(timeout=10) as http:
        story = system.story(http)
        assert (_status(story, killed), _status(story, good)) == (200, 200)
        family = claims_of(killed["access_token"])["family"]
        answer = _kill(system, "family", family, token=operator, wait=0)
        assert (answer.status_code, answer.json()["state"]) == (202, "pending")
        story.wait_for_denial(killed["access_token"], 0)
        assert _status(story, good) in {200, 503}
        _start(system, "issuer")
        _until_applied(system, answer.headers["location"], token=operator)
        web = system.demo.clients["web"]
        story.expect_invalid_grant(web, killed["refresh_token"])
        assert story.refresh(web, good)["access_token"]


def test_all_others_restart_from_their_keys_on_disk_while_the_issuer_is_down(
    system: BreakableSystem,
) -> None:
    """Sample API, audit and revocation come up, verify tokens, take a kill, and deny by it."""
    killed, good = signed_in(system, 2)
    auditor = Auditor(system)
    operator = operator_token(system, "revocation", "revocations.read revocations.write")
    services = system.stack.services
    services["issuer"].stop()
    for name in ("sample_api", "audit", "revocation"):
        services[name].stop()
        services[name].start()
    with httpx.Client(timeout=10) as http:
        story = system.story(http)
        until_sync(lambda: _status(story, good) in KNOWN, seconds=60)
        until_sync(lambda: system.readiness("audit")[0] != DOWN, seconds=60)
        until_sync(lambda: system.readiness("revocation")[0] != DOWN, seconds=60)
        assert auditor.records(family=claims_of(killed["access_token"])["family"])
        assert _status(story, {"access_token": _forged(good["access_token"])}) == 401
        family = claims_of(killed["access_token"])["family"]
        answer = _kill(system, "family", family, token=operator, wait=0)
        assert answer.status_code == 202, answer.text
        story.wait_for_denial(killed["access_token"], 0)
        assert services["issuer"].alive() is False
        _start(system, "issuer")
        _until_applied(system, answer.headers["location"], token=operator)
        until_sync(lambda: _status(story, good) == 200)


def test_the_order_of_starting_does_not_matter(system: BreakableSystem) -> None:
    """Started in reverse, each once the one before answers, all get ready and the story plays."""
    services = system.stack.services
    for service in services.values():
        service.stop()
    for name in ("sample_api", "audit", "revocation", "issuer"):
        services[name].start()
        until_sync(partial(_is_alive, system, name), seconds=60)
    system.wait_until_ready()
    with httpx.Client(timeout=10) as http:
        assert system.story(http).play()["reuse_to_denied_ms"] > 0
    assert_each_once(system, [])


DOWN = 0
KNOWN = {200, 503}
"""A good token's answers once the keys are known: served, or too long without the issuer's word."""


def _start(system: BreakableSystem, name: str) -> None:
    system.stack.services[name].start()
    system.wait_until_ready(name)


def _is_alive(system: BreakableSystem, name: str) -> bool:
    try:
        return httpx.get(f"{system.stack.urls[name]}/livez", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def _status(story: Story, tokens: dict[str, Any]) -> int:
    try:
        return story.call_api(tokens["access_token"]).status_code
    except httpx.HTTPError:
        return DOWN


def _jti(tokens: dict[str, Any]) -> str:
    jti: str = claims_of(tokens["access_token"])["jti"]
    return jti


def _forged(token: str) -> str:
    """The same token with another signature of the right length."""
    signed, _, signature = token.rpartition(".")
    return f"{signed}.{signature[::-1]}"


def _kill(
    system: BreakableSystem, kind: str, value: str, *, token: str | None = None, wait: int = 10
) -> httpx.Response:
    token = token or operator_token(system, "revocation", "revocations.read revocations.write")
    return httpx.post(
        f"{system.demo.urls['revocation']}/revocations",
        params={"wait": wait},
        json={"selector": {kind: value}, "reason": "a test"},
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )


def _until_applied(system: BreakableSystem, location: str, *, token: str) -> None:
    url = f"{system.demo.urls['revocation']}{location}"
    bearer = {"Authorization": f"Bearer {token}"}

    def state() -> Any:
        return httpx.get(url, headers=bearer, timeout=10).json().get("state")

    until_sync(lambda: state() == "applied", seconds=60)
