"""The id of one request, looked for in what all services log."""

import json
from typing import Any

import httpx

from cli.demo import DemoClient
from tests.support.deadlines import until_sync
from tests.support.ledger import operator_token
from tests.support.system import System

SERVICES = ("issuer", "revocation", "audit")


def test_a_theft_is_found_in_the_log_of_each_service_by_its_id(system: System) -> None:
    """The thief's request, the verdict about it and its record carry the id of the request."""
    web = system.demo.clients["web"]
    with httpx.Client(timeout=10) as http, httpx.Client(timeout=10) as browser:
        story = system.story(http)
        api = system.demo.urls["sample_api"]
        first = story.sign_in(web, system.demo.user, "orders.read", api, browser)
        story.refresh(web, story.refresh(web, first))
    name = "a-theft-in-all-logs"
    assert _present(system, web, first["refresh_token"], name).status_code == 400
    until_sync(lambda: all(_logged(system, service, name) for service in SERVICES))
    assert [line["event"] for line in _logged(system, "issuer", name)] == ["refused"]
    assert [line["event"] for line in _logged(system, "revocation", name)] == ["verdict"]
    assert [line["type"] for line in _logged(system, "audit", name)] == [
        "revocast.reuse.detected.v1"
    ]


def test_a_kill_is_found_in_the_logs_by_its_id(system: System) -> None:
    """Whoever decides, applies or records it names the operator's request, and so do the events."""
    name = "a-kill-in-the-logs"
    token = operator_token(system, "revocation", "revocations.write")
    answer = httpx.post(
        f"{system.demo.urls['revocation']}/revocations",
        json={"selector": {"jti": "of nobody"}, "reason": "a test"},
        headers={"Authorization": f"Bearer {token}", "X-Request-Id": name},
        timeout=10,
    )
    assert answer.status_code == 200
    records = _recorded(system, name)
    assert sorted(record["type"] for record in records) == [
        "revocast.kill.applied.v1",
        "revocast.kill.completed.v1",
        "revocast.kill.decided.v1",
    ]
    until_sync(lambda: len(_logged(system, "audit", name)) == 2)
    (applied,) = _logged(system, "issuer", name)
    assert (applied["event"], applied["kill"]) == ("kill applied", answer.json()["id"])
    assert [line["event"] for line in _logged(system, "revocation", name)] == ["kill decided"]
    assert [line["type"] for line in _logged(system, "audit", name)] == [
        "revocast.kill.decided.v1",
        "revocast.kill.completed.v1",
    ]


def _recorded(system: System, name: str) -> list[dict[str, Any]]:
    """The three records of a kill by the id of its request."""
    token = operator_token(system, "audit", "audit.read")
    found: list[dict[str, Any]] = []

    def all_here() -> bool:
        answer = httpx.get(
            f"{system.demo.urls['audit']}/records",
            params={"correlation_id": name},
            headers={"Authorization": f"Bearer {token}"},
        )
        found[:] = answer.json()["records"]
        return len(found) >= 3

    until_sync(all_here)
    return found


def _present(system: System, client: DemoClient, token: str, name: str) -> httpx.Response:
    return httpx.post(
        f"{system.demo.issuer}/token",
        data={"grant_type": "refresh_token", "refresh_token": token},
        auth=(client.client_id, client.client_secret or ""),
        headers={"X-Request-Id": name},
    )


def _logged(system: System, service: str, name: str) -> list[dict[str, Any]]:
    log = system.stack.directory / "logs" / f"{service}.log"
    whole = log.read_text().rpartition("\n")[0]  # the last line may be half written
    lines = [json.loads(line) for line in whole.splitlines() if name in line]
    return [line for line in lines if line.get("correlation_id") == name]
