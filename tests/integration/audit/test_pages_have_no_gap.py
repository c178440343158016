from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.domain.search import Order, Search
from audit.usecases.search_records import search_records
from servicekit.postgres import Pool
from tests.support.audit import Story, record

FAMILIES = [Story() for _ in range(3)]

BATCHES = st.lists(
    st.lists(st.integers(0, len(FAMILIES) - 1), min_size=1, max_size=7), min_size=1, max_size=6
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    batches=BATCHES,
    limit=st.integers(1, 5),
    order=st.sampled_from(Order),
    of=st.sampled_from(["family", "type"]),
)
async def test_pages_neither_skip_nor_repeat_while_records_arrive(
    pool: Pool, batches: list[list[int]], limit: int, order: Order, of: str
) -> None:
    """Whoever follows the cursor sees each record of the beginning once, in order, however many
    arrive between two pages; oldest first, also those that arrived meanwhile."""
    await _arrive(pool, [0, 1, 2, 0, 1, 2])
    search = Search(family=FAMILIES[0].family if of == "family" else None, order=order, limit=limit)
    matching = await _all(pool, search)
    seen: list[int] = []
    cursor = None
    for _ in range(len(matching) + 100):
        page = await search_records(pool, _continued(search, cursor))
        assert len(page.records) <= limit
        seen += [one.index for one in page.records]
        if batches:
            await _arrive(pool, batches.pop())
        if page.cursor is None:
            break
        cursor = page.cursor
    assert seen == sorted(set(seen), reverse=order is Order.NEWEST)
    if order is Order.NEWEST:
        assert seen == matching
    else:
        assert seen[: len(matching)] == matching
        assert (await _all(pool, search))[: len(seen)] == seen


def _continued(search: Search, cursor: str | None) -> Search:
    if cursor is None:
        return search
    index = search.index_of(cursor)
    assert index is not None
    return search.going_on_after(index)


async def _arrive(pool: Pool, families: list[int]) -> None:
    await record(pool, [FAMILIES[n].rotated(2) for n in families])


async def _all(pool: Pool, search: Search) -> list[int]:
    column = "family" if search.family else "type"
    value = search.family or FAMILIES[0].rotated(2).event.type
    rows = await pool.fetch(
        f"SELECT index FROM record WHERE {column} = $1 ORDER BY index",  # noqa: S608 - two names of ours
        value,
    )
    found = [row["index"] for row in rows]
    return found if search.order is Order.OLDEST else found[::-1]
