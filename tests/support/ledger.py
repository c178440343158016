"""What the audit has, held against what was written into the outboxes and what clients got."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import asyncpg
import httpx

from revocast_contracts.selectors import jti_hash
from revocast_contracts.topics import DEAD_LETTER, REVOCATIONS
from tests.support.deadlines import until_sync
from tests.support.postgres import apart
from tests.support.system import System

OUTBOXES = ("revocast_issuer", "revocast_revocation")


def operator_token(system: System, service: str, scope: str) -> str:
    """A token of the demo's operator for one of our APIs."""
    with httpx.Client(timeout=10) as http, httpx.Client(timeout=10) as browser:
        tokens = system.story(http).sign_in(
            system.demo.clients["web"],
            system.demo.operator,
            scope,
            system.demo.urls[service],
            browser,
        )
    token: str = tokens["access_token"]
    return token


class Auditor:
    """The demo's operator at the audit API, with a token that is good for ten minutes."""

    def __init__(self, system: System) -> None:
        token = operator_token(system, "audit", "audit.read")
        self._url = system.demo.urls["audit"]
        self._bearer = {"Authorization": f"Bearer {token}"}

    def records(self, **filters: str) -> list[dict[str, Any]]:
        """Every record that matches, oldest first, page by page."""
        found: list[dict[str, Any]] = []
        asked = {"order": "oldest", "limit": "500", **filters}
        with httpx.Client(base_url=self._url, headers=self._bearer, timeout=10) as audit:
            while True:
                answer = audit.get("/records", params=asked)
                assert answer.status_code == 200, answer.text
                page = answer.json()
                found += page["records"]
                if page["next"] is None:
                    return found
                asked["cursor"] = page["next"]


def wait_until_audited(system: System, *, seconds: float = 60) -> None:
    """Wait until every event of both outboxes is a record."""
    until_sync(lambda: not apart(_missing(system)), seconds=seconds)


def assert_each_once(system: System, answered: Sequence[str], *, seconds: float = 60) -> None:
    """All that was written is recorded once and without a gap; each token that arrived is in it.

    `answered` are the jti of tokens that clients got.
    """
    wait_until_audited(system, seconds=seconds)
    records = Auditor(system).records()
    assert [record["index"] for record in records] == list(range(len(records)))
    _assert_dense(records)
    assert _doubled(record["event_id"] for record in records) == {}
    issued = Counter(
        record["event"]["data"]["jti_hash"]
        for record in records
        if record["type"].startswith("revocast.token.") and "jti_hash" in record["event"]["data"]
    )
    assert {jti: issued[jti_hash(jti)] for jti in answered if issued[jti_hash(jti)] != 1} == {}


def _assert_dense(records: Sequence[dict[str, Any]]) -> None:
    """In each shard, places rise by one: no event was skipped on the way, none came twice."""
    places = defaultdict(list)
    for record in records:
        if record["topic"] != DEAD_LETTER.name:
            shard = (record["topic"], record["partition"])
            places[shard].append((record["epoch"], record["seq"]))
    for shard, each in places.items():
        assert each[0] == (1, 1), shard
        for (epoch, seq), after in pairwise(each):
            assert after == (epoch, seq + 1), shard


def _doubled(values: Any) -> dict[str, int]:
    return {value: count for value, count in Counter(values).items() if count > 1}


async def _missing(system: System) -> set[str]:
    """Ids of events that were committed and are no record yet, or are one that nobody committed."""
    written: set[str] = set()
    for database in OUTBOXES:
        query = "SELECT event_id::text FROM outbox WHERE topic <> $1"
        written |= await _column(system, database, query, REVOCATIONS.noun)
    query = "SELECT event_id::text FROM record WHERE topic <> $1"
    return written ^ await _column(system, "revocast_audit", query, DEAD_LETTER.name)


async def _column(system: System, database: str, query: str, *arguments: str) -> set[str]:
    connection = await asyncpg.connect(system.postgres.address(database))
    try:
        return {row[0] for row in await connection.fetch(query, *arguments)}
    finally:
        await connection.close()
