from collections.abc import Mapping
from datetime import UTC, datetime

from messaging.log_ends import LogEnd, read_log_ends
from messaging.missing import Missing
from messaging.sender import Record, Sender
from revocast_contracts import codec
from revocast_contracts.envelope import Draft
from revocast_contracts.lifecycle import FamilyEnded, WatermarkPassed
from revocast_contracts.topics import TOKEN_LIFECYCLE
from tests.integration.messaging.support import fact
from tests.support.topics import delete_records

SHARD = TOKEN_LIFECYCLE.shard("key")
NAME = f"{TOKEN_LIFECYCLE.noun}/{SHARD}"


def placed(seq: int, *, epoch: int = 1) -> Record:
    event = codec.place(fact("key", seq), source="issuer", shard=SHARD, epoch=epoch, seq=seq)
    return Record(TOKEN_LIFECYCLE.name, SHARD, "key", codec.encode(event))


def mark(seq: int) -> Record:
    """A watermark that stands behind the event of this seq."""
    now = datetime.now(UTC)
    passed = WatermarkPassed(source=NAME, complete_through=now)
    draft = Draft(key=NAME, subject=NAME, time=now, correlation_id="watermark", data=passed)
    event = codec.place(draft, source="issuer", shard=SHARD, epoch=1, seq=seq)
    return Record(TOKEN_LIFECYCLE.name, SHARD, NAME, codec.encode(event))


async def missing(
    bootstrap: str, *records: Record, heads: Mapping[str, int], offset: int | None = None
) -> tuple[list[int], int]:
    """Write records, then look from these heads: the facts that are missing, and how many lost."""
    async with Sender(bootstrap, client_id="test") as sender:
        await sender.send(records)
    offsets = {} if offset is None else {NAME: offset}
    ends = await read_log_ends(bootstrap, "issuer")
    return await _read(Missing(bootstrap, ends, heads=heads, offsets=offsets))


async def _read(found: Missing) -> tuple[list[int], int]:
    events = [event async for batch in found.batches() for event in batch]
    return [e.data.generation for e in events if isinstance(e.data, FamilyEnded)], found.lost


async def test_all_that_follows_the_position_is_read(bootstrap: str) -> None:
    """Each event once, over epochs, without watermarks and without what came before."""
    records = [placed(1), placed(2), mark(2), placed(3), placed(2), placed(4, epoch=2)]
    assert await missing(bootstrap, *records, heads={NAME: 2}, offset=1) == ([3, 4], 0)


async def test_what_comes_late_is_not_lost(bootstrap: str) -> None:
    """An event that stands behind later ones fills its place."""
    records = [placed(1), placed(4), placed(2), placed(3)]
    assert await missing(bootstrap, *records, heads={NAME: 1}) == ([4, 2, 3], 0)


async def test_a_place_that_nobody_fills_is_lost(bootstrap: str) -> None:
    """Seqs are dense: a jump shows, between events and before a watermark."""
    records = [placed(1), placed(4), mark(5)]
    assert await missing(bootstrap, *records, heads={NAME: 1}) == ([4], 3)


async def test_a_log_that_was_emptied_has_lost_something(bootstrap: str) -> None:
    """Nobody can say what stood there, so it counts; where nothing was added, nothing is lost."""
    assert await missing(bootstrap, placed(1), placed(2), heads={}) == ([1, 2], 0)
    await delete_records(bootstrap, TOKEN_LIFECYCLE)
    ends = await read_log_ends(bootstrap, "issuer")
    assert ends[NAME] == LogEnd(offset=2, emptied=True)
    for offset, lost in ((0, 1), (1, 0)):
        found = Missing(bootstrap, ends, heads={}, offsets={NAME: offset})
        assert await _read(found) == ([], lost)
