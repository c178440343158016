import asyncio

import httpx
from fastapi import FastAPI

from servicekit.health import Health, router


def client(health: Health) -> httpx.AsyncClient:
    app = FastAPI()
    app.include_router(router(health))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test")


async def fine() -> str | None:
    return None


async def lagging() -> str | None:
    return "12 s behind"


async def broken() -> str | None:
    raise RuntimeError("with a secret in it")


async def hanging() -> str | None:
    await asyncio.Event().wait()
    return None


async def test_readiness_is_the_truth() -> None:
    """503 as long as one check says why not, and the answer names every check."""
    health = Health()
    health.add("one", fine)
    async with client(health) as http:
        ready = await http.get("/readyz")
        health.add("two", lagging)
        health.add("three", broken)
        unready = await http.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "checks": {"one": "ok"}})
    checks = {"one": "ok", "two": "12 s behind", "three": "RuntimeError"}
    assert (unready.status_code, unready.json()) == (503, {"ready": False, "checks": checks})


async def test_what_no_request_needs_holds_back_the_start_only() -> None:
    """A broker that was never reached stops a roll-out; one that goes away later is only told."""
    broker: dict[str, str | None] = {"why": "not connected"}

    async def connected() -> str | None:
        return broker["why"]

    health = Health()
    health.add("database", fine)
    health.add("broker", connected, needed=False)
    async with client(health) as http:
        assert (await http.get("/readyz")).status_code == 503
        broker["why"] = None
        assert (await http.get("/readyz")).status_code == 200
        broker["why"] = "gone"
        answer = await http.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "checks": {"database": "ok", "broker": "gone"}}


async def test_a_check_that_hangs_has_failed() -> None:
    """A probe is answered in time, whatever a check waits for."""
    health = Health(check_seconds=0.02)
    health.add("hanging", hanging)
    async with client(health) as http:
        answer = await http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["hanging"].startswith("no answer")


async def test_being_alive_needs_nothing() -> None:
    """Liveness asks no check: a database that is away is no reason to restart."""
    health = Health()
    health.add("broken", broken)
    async with client(health) as http:
        assert (await http.get("/livez")).status_code == 200


async def test_metrics_are_prometheus_text() -> None:
    """`/metrics` tells each check's state, in the format that Prometheus reads."""
    health = Health()
    health.add("lagging", lagging)
    async with client(health) as http:
        await http.get("/readyz")
        answer = await http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert 'revocast_ready{check="lagging"} 0.0' in answer.text
