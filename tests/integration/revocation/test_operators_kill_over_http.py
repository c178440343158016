import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from revocast_contracts.revocations import EntryState, RevocationEntry
from revocast_contracts.selectors import Selector, SelectorKind, jti_hash, subject_hash
from revocast_contracts.signals import KillDecided
from servicekit.postgres import Pool
from tests.support.revocation import HASH_KEY, Facts, entries, eventually, handle, signals
from tests.support.revocation_api import Api, running_api

FAMILY = str(uuid4())
BODY = {"selector": {"subject": "somebody"}, "reason": "a theft"}


@pytest.fixture
async def api(pool: Pool) -> AsyncIterator[Api]:
    async with running_api(pool) as api:
        yield api


async def first_entry(pool: Pool) -> RevocationEntry | None:
    return next(iter(await entries(pool)), None)


def assert_problem(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


async def test_a_kill_is_pending_until_the_issuer_answers(pool: Pool, api: Api) -> None:
    """202 names where to look, and there it becomes applied."""
    answer = await api.post(BODY)
    assert answer.status_code == 202
    kill = answer.json()
    assert kill["state"] == "pending"
    assert kill["selector"] == {"kind": "subject", "value": "somebody"}
    location = answer.headers["location"]
    assert location == f"/revocations/{kill['id']}"
    assert (await api.get(location)).json() == kill
    (entry,) = await entries(pool)
    facts = Facts()
    await handle(pool, facts.applied(entry.entry_id, entry.selector))
    applied = (await api.get(location)).json()
    assert applied["state"] == "applied"
    assert applied["applied_at"] == facts.at.isoformat().replace("+00:00", "Z")


async def test_a_kill_that_is_applied_in_time_is_answered_as_applied(pool: Pool, api: Api) -> None:
    """A POST waits for the issuer and answers 200 once it has applied the kill."""
    waiting = asyncio.create_task(api.post(BODY, wait=30))
    entry = await eventually(lambda: first_entry(pool))
    await handle(pool, Facts().applied(entry.entry_id, entry.selector))
    answer = await waiting
    assert answer.status_code == 200
    assert (answer.json()["id"], answer.json()["state"]) == (entry.entry_id, "applied")


async def test_a_preference_bounds_the_wait(api: Api) -> None:
    """`Prefer: wait=0` (RFC 7240) is answered at once where the query says nothing."""
    headers = api.authorization() | {"Prefer": "respond-async, wait=0"}
    async with asyncio.timeout(4):
        answer = await api.client.post("/revocations", json=BODY, headers=headers)
    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("asked", "kind", "published"),
    [
        ({"family": FAMILY.upper()}, "family", FAMILY),
        ({"session": FAMILY}, "session", FAMILY),
        ({"subject": FAMILY.upper()}, "subject", subject_hash(FAMILY, HASH_KEY)),
        ({"subject": "a client"}, "subject", subject_hash("a client", HASH_KEY)),
        ({"client": "web"}, "client", "web"),
        ({"jti": "a token"}, "jti", jti_hash("a token")),
    ],
)
async def test_selectors_are_published_as_tokens_carry_them(
    pool: Pool, api: Api, asked: dict[str, str], kind: str, published: str
) -> None:
    """Ids in canonical form, subjects and token ids as hashes."""
    answer = await api.post({"selector": asked, "reason": "r"})
    assert answer.status_code == 202, answer.text
    (entry,) = await entries(pool)
    assert entry.selector == Selector(kind=SelectorKind(kind), value=published)
    assert entry.state is EntryState.PENDING


async def test_an_issuer_is_named_by_its_url(pool: Pool, api: Api) -> None:
    """Everything can be killed, but only of the issuer that this service serves."""
    assert_problem(
        await api.post({"selector": {"issuer": "https://other.example"}, "reason": "r"}), 422
    )
    answer = await api.post({"selector": {"issuer": api.issuer.url}, "reason": "r"})
    assert answer.status_code == 202
    (entry,) = await entries(pool)
    assert entry.selector == Selector(kind=SelectorKind.ISSUER, value=api.issuer.url)


SECRET = "never to be repeated"
BAD_BODIES: list[Any] = [
    {},
    {"selector": {}, "reason": SECRET},
    {"selector": {"subject": "a", "client": "b"}, "reason": SECRET},
    {"selector": {"key": "k"}, "reason": SECRET},
    {"selector": {"family": "not a uuid"}, "reason": SECRET},
    {"selector": {"subject": ""}, "reason": SECRET},
    {"selector": {"subject": "a\x00b"}, "reason": SECRET},
    {"selector": {"subject": "a" * 513}, "reason": SECRET},
    {"selector": {"subject": "a"}, "reason": ""},
    {"selector": {"subject": "a"}, "reason": "\x1b[2J"},
    {"selector": {"subject": "a"}, "reason": f"{SECRET}\x80"},
    {"selector": {"subject": "a"}, "reason": "\x9b2J"},
    {"selector": {"subject": "a\x9f"}, "reason": SECRET},
    {"selector": {"subject": "a"}, "reason": SECRET * 501},
    {"selector": {"subject": "a"}, "reason": SECRET, SECRET: 1},
    {"selector": "subject", "reason": SECRET},
    [],
]


@pytest.mark.parametrize("body", BAD_BODIES, ids=str)
async def test_a_bad_body_is_refused_and_not_repeated(pool: Pool, api: Api, body: Any) -> None:
    """422 as a problem; nothing of the body stands in it, and nothing was decided."""
    answer = await api.post(body)
    assert_problem(answer, 422)
    assert SECRET not in answer.text
    assert await pool.fetchval("SELECT count(*) FROM kill") == 0


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b'{"selector": {"subject": "a"}, "reason": "r"', "application/json", 422),
        (b"\xff\xfe", "application/json", 422),
        (b'{"selector": {"subject": "\\ud800"}, "reason": "r"}', "application/json", 422),
        (b"[" * 10_000, "application/json", 422),
        (b'{"selector": {"subject": "a"}, "reason": "r"}', "text/plain", 415),
        (b" " * 20_000, "application/json", 413),
    ],
)
async def test_bad_bytes_are_a_problem(
    api: Api, content: bytes, content_type: str, status: int
) -> None:
    """Broken JSON, wrong types of content and too much of it never end as a 5xx."""
    headers = api.authorization() | {"Content-Type": content_type}
    answer = await api.client.post("/revocations", content=content, headers=headers)
    assert_problem(answer, status)


async def test_metacharacters_are_inert(pool: Pool, api: Api) -> None:
    """SQL and HTML in a reason are text: stored, told and shown as they came."""
    reason = "'; DROP TABLE kill; -- <script>alert(1)</script> ${x} %s ünïcödé"
    answer = await api.post({"selector": {"subject": "'; --"}, "reason": reason})
    assert answer.json()["reason"] == reason
    (signal,) = await signals(pool, KillDecided)
    assert (signal.reason, signal.selector.value) == (reason, "'; --")


async def test_equal_keys_get_one_kill(pool: Pool, api: Api) -> None:
    """Two requests with one key at the same time are one decision and get the same answer."""
    headers = {"Idempotency-Key": "a-key"}
    answers = await asyncio.gather(*(api.post(BODY, headers=headers) for _ in range(2)))
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert await pool.fetchval("SELECT count(*) FROM kill") == 1


async def test_a_key_with_another_body_is_refused(pool: Pool, api: Api) -> None:
    """A key names one request: reusing it for another one is a mistake that is told."""
    headers = {"Idempotency-Key": "a-key"}
    await api.post(BODY, headers=headers)
    assert_problem(await api.post(BODY | {"reason": "another"}, headers=headers), 422)
    assert await pool.fetchval("SELECT count(*) FROM kill") == 1


async def test_keys_of_two_operators_are_two_keys(pool: Pool, api: Api) -> None:
    """A key is its sender's own."""
    for sub in ("one", "two"):
        headers = api.authorization(sub=sub) | {"Idempotency-Key": "a-key"}
        await api.client.post("/revocations?wait=0", json=BODY, headers=headers)
    assert await pool.fetchval("SELECT count(*) FROM kill") == 2


@pytest.mark.parametrize("keys", [[""], ["a b"], ["k" * 256], ["\x80"], ["one", "two"]])
async def test_a_malformed_key_is_refused(api: Api, keys: list[str]) -> None:
    """A key is 1 to 255 visible ASCII characters, sent once."""
    headers = [*api.authorization().items(), *(("Idempotency-Key", key) for key in keys)]
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    assert_problem(await api.client.post("/revocations", json=BODY, headers=raw), 400)


@pytest.mark.parametrize("wait", ["-1", "nan", "inf", "x"])
async def test_a_malformed_wait_is_refused(api: Api, wait: str) -> None:
    """The wait is a number of seconds."""
    assert_problem(await api.post(BODY, wait=wait), 422)


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/revocations", "revocations.read"),
        ("GET", "/revocations", "revocations.write"),
        ("GET", "/revocations/x", "revocations.write"),
    ],
)
async def test_each_route_wants_its_scope(api: Api, method: str, path: str, scope: str) -> None:
    """Without a token 401, with the wrong scope 403, both with a challenge (RFC 6750)."""
    answer = await api.client.request(method, path)
    assert_problem(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    answer = await api.client.request(method, path, headers=api.authorization(scope=scope))
    assert_problem(answer, 403)
    assert "insufficient_scope" in answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    "name", [str(uuid4()), "%00", "a%00b", "%ff", "%ed%a0%80", "%0a", "a" * 5000], ids=str
)
async def test_what_does_not_exist_is_not_found(api: Api, name: str) -> None:
    """An unknown id is 404, and so is what can be no id: a NUL, bad UTF-8, too long a text."""
    assert_problem(await api.get(f"/revocations/{name}"), 404)


async def test_a_fact_can_be_looked_up_by_its_entry(pool: Pool, api: Api) -> None:
    """The id in a listing leads to the entry that an event has made."""
    await handle(pool, Facts().stale(1, 2))
    (listed,) = (await api.get()).json()["entries"]
    assert (await api.get(f"/revocations/{listed['id']}")).json() == listed
    assert listed["cause"] == "reuse"
