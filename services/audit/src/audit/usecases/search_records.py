"""Search the log, one page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

from audit.domain.record import Record
from audit.domain.search import Search
from audit.store import records
from servicekit.postgres import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some records, and the cursor to go on with; None where the log ends."""

    records: Sequence[Record]
    cursor: str | None


async def search_records(pool: Pool, search: Search) -> Page:
    """The records that match. Pages neither skip nor repeat while records arrive."""
    async with pool.acquire() as connection:
        found = await records.search(connection, search, limit=search.limit + 1)
    page = found[: search.limit]
    more = len(found) > len(page)
    return Page(records=page, cursor=search.cursor(page[-1].index) if more else None)


async def read_record(pool: Pool, index: int) -> Record | None:
    """The record at an index; None if there is none (yet, or any more)."""
    async with pool.acquire() as connection:
        found = await records.read(connection, [index])
    return found[0] if found else None
