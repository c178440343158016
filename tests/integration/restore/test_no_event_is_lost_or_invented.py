"""Promises 4 and 6, when the revocation service's database is put back to an older state."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from revocast import KafkaFeed
from revocast_contracts.envelope import Event
from revocast_contracts.selectors import subject_hash
from revocast_contracts.signals import KillCompleted, KillDecided, ReuseDetected
from revocast_contracts.topics import SECURITY_SIGNALS
from tests.integration.revocast.support import IssuerServer, issuer_server
from tests.support.postgres import Server
from tests.support.restores import Restorable, restorable
from tests.support.revocation import HASH_KEY, eventually
from tests.support.revocation_stack import Service, a_service, a_theft, an_issuer, read_all, tell
from tests.unit.revocast.support import claims


@pytest.fixture
async def issuer_http() -> AsyncIterator[IssuerServer]:
    async with issuer_server() as server:
        yield server


@pytest.fixture
def verdicts(postgres: Server, revocation_database: str) -> Iterator[Restorable]:
    """The revocation service's database."""
    with restorable(postgres, revocation_database) as found:
        yield found


@pytest.fixture
def service(verdicts: Restorable, bootstrap: str, issuer_http: IssuerServer) -> Iterator[Service]:
    with a_service(verdicts.dsn, bootstrap, issuer_http.url) as service:
        yield service


async def _kill(
    service: Service, issuer_http: IssuerServer, subject: str, *, wait: int
) -> dict[str, Any]:
    token = service.token(issuer_http.url, issuer_http.keys[0])
    async with httpx.AsyncClient(base_url=service.url, timeout=40) as client:
        answer = await client.post(
            "/revocations",
            params={"wait": wait},
            json={"selector": {"subject": subject}, "reason": "a theft"},
            headers={"Authorization": f"Bearer {token}"},
        )
    assert answer.status_code == (200 if wait else 202), answer.text
    found: dict[str, Any] = answer.json()
    return found


async def _asked(service: Service, issuer_http: IssuerServer, kill: str) -> dict[str, Any]:
    token = service.token(issuer_http.url, issuer_http.keys[0])
    async with httpx.AsyncClient(base_url=service.url, timeout=40) as client:
        answer = await client.get(
            f"/revocations/{kill}", headers={"Authorization": f"Bearer {token}"}
        )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_restored_revocation_service_forgets_no_verdict(
    bootstrap: str,
    issuer_database: str,
    verdicts: Restorable,
    service: Service,
    issuer_http: IssuerServer,
) -> None:
    """Entries stay in force, pending kills complete, each decision keeps one id, guards merge."""
    old_theft, new_theft, late_theft = a_theft(), a_theft(), a_theft()
    feed = KafkaFeed(bootstrap)
    await feed.start()
    dead = [
        claims(family=facts.family, subject_hash="x") for facts, _ in (old_theft, new_theft)
    ] + [claims(family="f", subject_hash=subject_hash(who, HASH_KEY)) for who in ("done", "open")]

    async def all_denied() -> bool | None:
        return all(feed.revocations.denies(token) for token in dead) or None

    service.start()
    async with an_issuer(issuer_database, bootstrap) as issuer:
        await eventually(service.ready, seconds=60)
        await tell(issuer, old_theft[1])
        await eventually(lambda: _told(bootstrap, 1), seconds=60)
        verdicts.back_up()
        await tell(issuer, new_theft[1])
        done = await _when_it_answers(service, issuer_http, "done", wait=30)
    pending = await _kill(service, issuer_http, "open", wait=0)
    await eventually(all_denied)
    service.kill()
    verdicts.restore()
    service.start()
    async with an_issuer(issuer_database, bootstrap) as issuer:
        await eventually(service.ready, seconds=60)
        assert await all_denied()
        assert (await _asked(service, issuer_http, done["id"]))["applied_at"] == done["applied_at"]

        async def completed() -> bool | None:
            found = await _asked(service, issuer_http, pending["id"])
            return found["state"] == "applied" or None

        await eventually(completed, seconds=60)
        await tell(issuer, late_theft[1])
        dead.append(claims(family=late_theft[0].family, subject_hash="x"))
        await eventually(all_denied)
        assert await all_denied()
    await feed.stop()
    afresh = KafkaFeed(bootstrap)
    await afresh.start()
    feed = afresh
    await eventually(all_denied)
    await afresh.stop()
    events = {event.id: event for event in await read_all(bootstrap, SECURITY_SIGNALS)}
    assert max(Counter(map(_decision, events.values())).values()) == 1
    told = {kind for kind, _ in map(_decision, events.values())}
    assert told == {ReuseDetected, KillDecided, KillCompleted}
    assert len(events) == 3 + 2 + 2


async def _told(bootstrap: str, count: int) -> bool | None:
    return len(await read_all(bootstrap, SECURITY_SIGNALS)) >= count or None


async def _when_it_answers(
    service: Service, issuer_http: IssuerServer, subject: str, *, wait: int
) -> dict[str, Any]:
    """Its connections were cut by the backup; it is ready again on its own."""
    await eventually(service.ready, seconds=60)
    return await _kill(service, issuer_http, subject, wait=wait)


def _decision(event: Event) -> tuple[type, str]:
    match event.data:
        case ReuseDetected(family=name) | KillDecided(kill_id=name) | KillCompleted(kill_id=name):
            return type(event.data), name
    raise AssertionError(event.type)
