import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from audit.domain.search import Order, Search
from audit.store.appends import KNOWN
from audit.store.records import statement
from servicekit.postgres import Pool, create_pool, transaction
from tests.support.postgres import Server, apart

ROWS = 100_000
NOW = datetime.now(UTC)

_FILL = """
INSERT INTO record SELECT n, now(), gen_random_uuid(), now() - (($1::bigint - n) * interval '20 s'),
    'revocast.type' || n % 12 || '.v1', 'topic', n % 12, 1, n, fill_id(n / 40), fill_id(n / 80),
    fill_id(n / 400), 'client' || n % 20, 'cause' || n / 3,
    CASE WHEN n % 5000 = 0 THEN 'client:client' || n % 20 END, 'event'
FROM generate_series(0, $1::bigint - 1) AS n
"""
_FILL_ID = (
    "CREATE FUNCTION fill_id(n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS"
    " $$ SELECT md5(n::text)::uuid::text $$"
)


@pytest.fixture(scope="module")
def filled(postgres: Server) -> Iterator[str]:
    """A database with 100,000 records, as the planner finds them after its analysis."""
    with postgres.database(template=postgres.migrated("audit")) as dsn:
        apart(_fill(dsn))
        yield dsn


async def _fill(dsn: str) -> None:
    pool = await create_pool(dsn, size=1, application_name="fill")
    async with pool.acquire() as connection:
        await connection.execute("SET statement_timeout = 0")
        await connection.execute(_FILL_ID)
        await connection.execute(_FILL, ROWS, timeout=120)
        await connection.execute("ANALYZE record", timeout=120)
    await pool.close()


@pytest.fixture
async def pool(filled: str) -> AsyncIterator[Pool]:
    pool = await create_pool(filled, size=2, application_name="test")
    try:
        yield pool
    finally:
        await pool.close()


async def _plan(pool: Pool, search: Search) -> list[dict[str, Any]]:
    """Every node of the plan, its actual rows included."""
    sql, arguments = statement(search, search.limit + 1)
    return _nodes(await pool.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *arguments))


async def _value(pool: Pool, column: str) -> str:
    row = await pool.fetchrow("SELECT * FROM record WHERE index + 0 = $1", ROWS // 2)
    assert row is not None
    return str(row[column])


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize(
    "column", ["family", "session", "subject", "client", "type", "correlation_id"]
)
async def test_every_filter_uses_an_index(pool: Pool, column: str, order: Order) -> None:
    """No filter reads the table, in either order, on the first page or on a later one."""
    search = Search(**{column: await _value(pool, column)}, order=order)  # type: ignore[arg-type]  # columns are text
    for after in (None, ROWS // 2):
        await _reads_little(pool, search if after is None else search.going_on_after(after))


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize("span", [timedelta(minutes=10), timedelta(hours=6), timedelta(days=20)])
async def test_a_time_range_uses_an_index(pool: Pool, order: Order, span: timedelta) -> None:
    """A short range long ago and a long one both read about what they answer, not the table."""
    since = NOW - timedelta(days=21)
    await _reads_little(pool, Search(since=since, until=since + span, order=order), most=2000)


@pytest.mark.parametrize("order", list(Order))
async def test_no_filter_uses_an_index(pool: Pool, order: Order) -> None:
    """Without a filter, a page is read from the end it begins at."""
    await _reads_little(pool, Search(order=order))


async def test_the_plan_stays_when_it_is_generic(pool: Pool) -> None:
    """A statement prepared long ago, planned without its arguments, uses the index as well."""
    search = Search(family=await _value(pool, "family"))
    sql, arguments = statement(search, search.limit + 1)
    async with pool.acquire() as connection:
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        told = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *arguments)
        await connection.execute("RESET plan_cache_mode")
    _check(_nodes(told))


async def test_a_client_that_fell_silent_is_found_at_once(pool: Pool) -> None:
    """A frequent value whose last record is long ago costs no walk down the whole log."""
    async with transaction(pool) as connection:
        await connection.execute(
            "UPDATE record SET client = 'silent' WHERE index < $1", ROWS // 20, timeout=60
        )
        await connection.execute("ANALYZE record", timeout=60)
        sql, arguments = statement(Search(client="silent"), 101)
        told = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *arguments)
    _check(_nodes(told))


async def test_all_filters_together_use_an_index(pool: Pool) -> None:
    """The most selective filter leads, the rest sift."""
    columns = ("family", "session", "subject", "client", "type", "correlation_id")
    given = {column: await _value(pool, column) for column in columns}
    search = Search(**given, since=NOW - timedelta(days=30), until=NOW)  # type: ignore[arg-type]  # columns are text
    await _reads_little(pool, search)


async def _reads_little(pool: Pool, search: Search, *, most: int = 500) -> None:
    _check(await _plan(pool, search), most=most)


def _check(nodes: list[dict[str, Any]], *, most: int = 500) -> None:
    scans = [node for node in nodes if "Scan" in node["Node Type"]]
    whole = [node for node in scans if node["Node Type"] == "Seq Scan" and _many(node)]
    assert scans
    assert not whole, whole
    touched = sum(_many(node) for node in scans)
    assert touched <= most, (touched, nodes)


def _many(node: dict[str, Any]) -> int:
    """Rows that a node looked at."""
    looked: float = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    return int(looked * node["Actual Loops"])


async def test_the_deduplication_of_a_batch_reads_one_entry_per_event(pool: Pool) -> None:
    """Looking for the copies of 1,000 events reads about 1,000 index entries, not the table."""
    rows = await pool.fetch("SELECT event_id, time FROM record ORDER BY random() LIMIT 1000")
    ids, times = zip(*rows, strict=True)
    async with transaction(pool) as connection:
        await connection.execute("SET LOCAL enable_seqscan = off")
        told = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {KNOWN}", ids, times)
    scans = [node for node in _nodes(told) if node.get("Relation Name")]
    assert sum(_many(node) for node in scans) <= 1000
    assert {node["Node Type"] for node in scans} <= {"Index Scan", "Index Only Scan"}


def _nodes(told: str) -> list[dict[str, Any]]:
    nodes, todo = [], [json.loads(told)[0]["Plan"]]
    while todo:
        node = todo.pop()
        nodes.append(node)
        todo += node.get("Plans", [])
    return nodes
