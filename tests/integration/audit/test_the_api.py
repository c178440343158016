import json
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from audit.app import create_app
from audit.settings import AuditSettings
from devstack.kafka import Kafka
from messaging.topics import ensure_topics
from revocast_contracts.lifecycle import EndCause
from servicekit.limits import LONGEST_BODY
from servicekit.postgres import Pool
from tests.integration.revocast.support import IssuerServer, issuer_server
from tests.support.audit import Story, record
from tests.support.audit_log import until
from tests.unit.revocast.support import members, sign

URL = "http://audit.example"


@pytest.fixture
async def issuer() -> AsyncIterator[IssuerServer]:
    async with issuer_server() as server:
        yield server


@pytest.fixture(scope="module")
def broker(server_directory: Path) -> Iterator[Kafka]:
    """A broker of its own: what other tests leave in the topics would be recorded here too."""
    broker = Kafka(server_directory / "audit-kafka")
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@pytest.fixture
async def api(
    audit_database: str, broker: Kafka, issuer: IssuerServer
) -> AsyncIterator[httpx.AsyncClient]:
    """The whole service in this process, on real Postgres and Kafka."""
    await ensure_topics(broker.bootstrap, replication=1)
    settings = AuditSettings.model_validate(
        {
            "url": URL,
            "issuer_url": issuer.url,
            "database_url": audit_database,
            "kafka_bootstrap": broker.bootstrap,
        }
    )
    app = create_app(settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=URL) as client,
    ):
        await _connected(client)
        yield client


async def _connected(client: httpx.AsyncClient) -> None:
    """Wait until the consumer has its partitions."""

    async def connected() -> bool:
        return bool((await client.get("/readyz")).json()["checks"]["ingest"] == "ok")

    await until(connected)


@pytest.fixture
def operator(api: httpx.AsyncClient, issuer: IssuerServer) -> httpx.AsyncClient:
    """The API as an operator calls it."""
    api.headers["Authorization"] = f"Bearer {_token(issuer)}"
    return api


def _token(issuer: IssuerServer, *, aud: str = URL, scope: str = "audit.read") -> str:
    return sign(members(iss=issuer.url, aud=aud, scope=scope))


@pytest.mark.parametrize("path", ["/records", "/records/0", f"/families/{uuid4()}"])
async def test_nothing_is_shown_without_the_scope(
    api: httpx.AsyncClient, issuer: IssuerServer, path: str
) -> None:
    """No token, another audience and another scope are refused as RFC 6750 says."""
    anonymous = await api.get(path)
    assert anonymous.status_code == 401
    assert anonymous.headers["WWW-Authenticate"].startswith("Bearer")
    elsewhere = _token(issuer, aud="http://other.example")
    for token, status in ((elsewhere, 401), (_token(issuer, scope="admin.all"), 403)):
        refused = await api.get(path, headers={"Authorization": f"Bearer {token}"})
        assert refused.status_code == status, refused.text
        assert "error=" in refused.headers["WWW-Authenticate"]


async def test_records_are_found_and_paged(operator: httpx.AsyncClient, pool: Pool) -> None:
    """A filter answers with its records and a cursor, the cursor with the rest."""
    story, other = Story(), Story()
    for n in range(2, 6):
        await record(pool, story.rotated(n), other.rotated(n))
    asked = {"family": story.family, "limit": "3", "order": "oldest"}
    first = (await operator.get("/records", params=asked)).json()
    second = (await operator.get("/records", params=asked | {"cursor": first["next"]})).json()
    assert [one["index"] for one in first["records"] + second["records"]] == [0, 2, 4, 6]
    assert second["next"] is None
    assert first["records"][0]["event"]["data"]["generation"] == 2


async def test_every_filter_filters(operator: httpx.AsyncClient, pool: Pool) -> None:
    """Each filter alone finds one of two records, and the newest comes first without any."""
    story, other = Story(client="web"), Story(client="tv")
    await record(pool, story.started(), other.ended(EndCause.LOGOUT))
    told = story.tell(story.rotated(2).event.data, correlation_id="mine")
    await record(pool, told)
    everything = (await operator.get("/records")).json()["records"]
    assert [one["index"] for one in everything] == [2, 1, 0]
    for given, wanted in (
        ({"family": other.family}, [1]),
        ({"session": other.session.upper()}, [1]),
        ({"subject": other.sub}, [1]),
        ({"client": "tv"}, [1]),
        ({"type": "revocast.family.ended.v1"}, [1]),
        ({"correlation_id": "mine"}, [2]),
        ({"from": told.event.time.isoformat()}, [2]),
        ({"to": told.event.time.isoformat(), "client": "web"}, [0]),
        ({"client": "web", "type": "revocast.family.ended.v1"}, []),
    ):
        answer = (await operator.get("/records", params=given)).json()
        assert [one["index"] for one in answer["records"]] == wanted, given


async def test_a_record_is_shown_with_its_bytes(operator: httpx.AsyncClient, pool: Pool) -> None:
    """One record is answered with the bytes that were recorded, and their hash."""
    told = Story().started()
    await record(pool, told)
    answer = (await operator.get("/records/0")).json()
    assert b64decode(answer["bytes"]) == told.raw
    assert answer["sha256"] == sha256(told.raw).hexdigest()
    assert answer["event"] == json.loads(told.raw)


async def test_what_is_not_there_is_a_problem(operator: httpx.AsyncClient) -> None:
    """Nothing there is a 404, as RFC 9457 has it."""
    for path in (
        "/records/1",
        "/records/-1",
        "/records/x",
        "/records/%00",
        "/records/99999999999999999999999999",
        "/records/9223372036854775807",
        f"/families/{uuid4()}",
        "/nothing",
    ):
        answer = await operator.get(path)
        assert answer.status_code == 404, path
        assert answer.headers["Content-Type"] == "application/problem+json", path


async def test_a_bad_request_is_a_problem_that_names_it(operator: httpx.AsyncClient) -> None:
    """A parameter that can't be is a 400 that names it, as RFC 9457 has it."""
    for path in (
        "/records?colour=red",
        "/records?family=1",
        "/records?client=a&client=b",
        "/records?cursor=abc",
        "/records?client=%00",
        "/records?client=%ff%00",
        "/records?limit=501",
        "/records?" + "&".join(f"a{n}=1" for n in range(2000)),
        "/families/1",
        "/families/%00",
        f"/families/{uuid4()}?order=newest",
        f"/families/{uuid4()}?limit=0",
        f"/families/{uuid4()}?cursor=abc",
    ):
        answer = await operator.get(path)
        assert answer.status_code == 400, path
        assert answer.headers["Content-Type"] == "application/problem+json", path
        assert answer.json()["parameter"], path


@pytest.mark.parametrize("path", ["/records", "/records/0", f"/families/{uuid4()}"])
@pytest.mark.parametrize(
    ("query", "parameter"), [("famly=x", "famly"), ("a&" * 20_000, "a"), ("LIMIT=1", "LIMIT")]
)
async def test_an_unknown_parameter_is_refused_by_every_route(
    operator: httpx.AsyncClient, path: str, query: str, parameter: str
) -> None:
    """A misspelt filter is a 400 that names it, not everything; so are thousands of them."""
    answer = await operator.get(f"{path}?{query}")
    assert (answer.status_code, answer.json().get("parameter")) == (400, parameter)


@pytest.mark.parametrize("path", ["/records", f"/families/{uuid4()}"])
async def test_a_doubled_parameter_is_refused(operator: httpx.AsyncClient, path: str) -> None:
    """Nobody chooses one of two, not even when they are equal."""
    for query in ("limit=1&limit=1", "limit&" * 10_000):
        answer = await operator.get(f"{path}?{query}")
        assert (answer.status_code, answer.json().get("parameter")) == (400, "limit")


async def test_a_story_is_told_over_http(operator: httpx.AsyncClient, pool: Pool) -> None:
    """The story of a theft: every step in order, the state, and the cause of the end."""
    story = Story()
    await record(pool, story.started(), story.rotated(2), story.rotated(3), story.stale(1, 3))
    answer = (await operator.get(f"/families/{story.family.upper()}", params={"limit": 3})).json()
    assert (answer["state"], answer["cause"], answer["ended_by"]) == ("ended", "reuse", [3])
    rest = {"limit": 3, "cursor": answer["next"]}
    rest_answer = (await operator.get(f"/families/{story.family}", params=rest)).json()
    told = [one["type"] for one in answer["records"] + rest_answer["records"]]
    assert [name.split(".")[2] for name in told] == [
        "issued",
        "rotated",
        "rotated",
        "presented_stale",
    ]
    assert rest_answer["next"] is None


async def test_writing_is_not_offered(operator: httpx.AsyncClient) -> None:
    """No method but reading exists."""
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for path in ("/records", "/records/0"):
            assert (await operator.request(method, path)).status_code == 405


async def test_long_bodies_are_refused_unread(operator: httpx.AsyncClient) -> None:
    """Nothing here takes a body; a long one is refused before anybody looks at it."""
    answer = await operator.request("GET", "/records", content=b"x" * (LONGEST_BODY + 1))
    assert answer.status_code == 413
    assert (await operator.request("GET", "/records", content=b"x")).status_code == 200


async def test_health_tells_what_is_missing(api: httpx.AsyncClient) -> None:
    """It lives, says which parts it needs, and counts; none of it asks for a token."""
    assert (await api.get("/livez")).status_code == 200
    ready = (await api.get("/readyz")).json()
    assert set(ready["checks"]) == {"database", "ingest", "partitions", "guard", "queries"}
    assert ready["checks"]["database"] == "ok"
    assert "revocast_records_total" in (await api.get("/metrics")).text
