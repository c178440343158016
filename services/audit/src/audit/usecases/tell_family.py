"""Tell a family's story: its records in order, its state, and what ended it."""

from dataclasses import dataclass

from audit.domain.family import Ending, FamilyStory, ending_of
from audit.domain.record import Record
from audit.domain.search import Order, Search
from audit.store import families, records
from audit.store.families import Outline
from audit.usecases.read_endings import (
    DECIDING,
    MINTING,
    Told,
    denial,
    expiries,
    read_cuts,
    told_ending,
)
from revocast_contracts.lifecycle import TokenDenied, TokenIssued, TokenReplayed, TokenRotated
from servicekit.postgres import Connection, Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which part of a long story is told: at most `limit` records after an index."""

    limit: int
    after: int | None = None


async def tell_family(pool: Pool, family: str, window: Window) -> FamilyStory | None:
    """The story of a family; None if nothing is known of it."""
    async with pool.acquire() as connection:
        outline = await families.outline(
            connection,
            family,
            minting=MINTING,
            denying=TokenDenied.event_type,
            deciding=DECIDING,
        )
        if outline is None:
            return None
        return await _tell(connection, family, outline, window)


async def _tell(
    connection: Connection, family: str, outline: Outline, window: Window
) -> FamilyStory:
    indexes = {outline.first, outline.last_minted, outline.last_denied, *outline.deciding}
    found = await records.read(connection, sorted(index for index in indexes if index is not None))
    told = [Told.of(record) for record in found]
    begun = next((one for one in told if isinstance(one.data, TokenIssued)), told[0])
    first = begun.record
    minted = next((one for one in told if one.record.index == outline.last_minted), None)
    denied = next((one for one in told if one.record.index == outline.last_denied), None)
    ending = ending_of(
        started_at=outline.first_at,
        last_minted_at=minted.record.time if minted else None,
        told=[ending for one in told if (ending := told_ending(one))],
        cuts=await read_cuts(connection, first, since=outline.first_at),
        denied=denial(denied) if denied else None,
        expiries=expiries(begun, minted),
        now=outline.now,
    )
    page, more = await _page(connection, family, ending, window)
    return FamilyStory(
        family=family,
        client=first.client,
        subject=first.subject,
        session=first.session,
        started_at=outline.first_at,
        generation=_generation(minted),
        ending=ending,
        records=tuple(page),
        next_after=page[-1].index if more else None,
    )


async def _page(
    connection: Connection, family: str, ending: Ending | None, window: Window
) -> tuple[list[Record], bool]:
    """A page of the family's own records, with those of the kill that ended it in their places."""
    search = Search(family=family, order=Order.OLDEST, after=window.after)
    own = await records.search(connection, search, limit=window.limit + 1)
    after = -1 if window.after is None else window.after
    kill = [index for index in (ending.records if ending else ()) if index > after]
    missing = set(kill) - {record.index for record in own}
    merged = sorted([*own, *await records.read(connection, sorted(missing))], key=_index)
    return merged[: window.limit], len(merged) > window.limit


def _index(record: Record) -> int:
    return record.index


def _generation(minted: Told | None) -> int | None:
    match minted.data if minted else None:
        case TokenIssued(refreshable=True):
            return 1
        case TokenRotated(generation=generation) | TokenReplayed(generation=generation):
            return generation
        case _:
            return None
