"""One owner's work on the outbox: write down, send, remember; begin anew where a log was lost."""

import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import asyncpg
import structlog

from messaging import batches, log_ends, metrics, rows
from messaging.batches import Batch, State
from messaging.dead_letter import letter_of_row
from messaging.follower import Follower
from messaging.lease import LeaseLostError
from messaging.missing import Missing
from messaging.postgres import Connection
from messaging.rows import Look, UnpublishableError
from messaging.security import Security
from messaging.sender import Record, Sender
from messaging.watermarks import Mark
from revocast_contracts import codec
from revocast_contracts.envelope import Event
from revocast_contracts.lifetimes import WATERMARK_INTERVAL
from revocast_contracts.topics import DEAD_LETTER, TOPIC_BY_NOUN, TOPICS

KEPT = timedelta(days=8)
"""How long the outbox keeps rows: a day longer than the topics, to replace one that is lost."""

TENDED_EVERY = 60.0
"""Seconds between two looks at the outbox's days."""

READ_AGAIN = 500
"""Batches read in one step when they are sent again; they are sent some thousand rows at once."""

_NOUNS = {topic.name: topic.noun for topic in TOPICS}
_log = structlog.get_logger()


class LogReplacedError(Exception):
    """Acknowledged offsets did not rise: these topics are not the ones written so far."""

    def __init__(self, topics: list[str]) -> None:
        super().__init__(", ".join(topics))
        self.topics = topics


class Publisher:
    """Publishes on behalf of the owner of the lease, on one connection."""

    def __init__(
        self,
        connection: Connection,
        state: State,
        *,
        owner: str,
        source: str,
        follower: Follower | None = None,
        security: Security | None = None,
    ) -> None:
        self._connection = connection
        self._state = state
        self._owner = owner
        self._source = source
        self._follower = follower
        self._security = security
        self._marked_at = float("-inf")
        self._tended_at = float("-inf")

    async def resume(self, sender: Sender, bootstrap: str) -> None:
        """Compare the log with the database, and send what may not have arrived.

        Raises:
            LogReplacedError: a topic was made anew, or has lost its end.
        """
        state = self._state
        ends = await log_ends.read_log_ends(bootstrap, self._source, self._security)
        if lost := log_ends.replaced(ends, state.offsets):
            raise LogReplacedError(lost)
        if log_ends.is_ahead(ends, epoch=state.epoch, heads=state.heads, offsets=state.offsets):
            await self._begin_after_restore(ends, bootstrap)
        if self._follower is not None:
            await self._follower.level(self._connection)
        metrics.RELAY_EPOCH.set(state.epoch)
        if state.republish:
            await self._send_again(sender, after=0, topics=frozenset(state.republish))
            state.republish = []
            await batches.write(self._connection, self._owner, state, Batch(epoch=state.epoch))
        await self._send_again(sender, after=state.acked, topics=frozenset(TOPIC_BY_NOUN))
        state.acked = state.number

    async def publish_visible(self, sender: Sender) -> Look:
        """Send everything that became visible since the last look, acknowledged by Kafka.

        Raises:
            LeaseLostError: another relay took over; nothing was sent.
        """
        state = self._state
        look = await rows.look(self._connection, state.gaps)
        state.gaps.see([row["id"] for row in look.rows], xmin=look.xmin)
        metrics.RELAY_GAPS.set(len(state.gaps.missing))
        if look.rows:
            events, dead = self._sort_out(look.rows)
            seqs = self._give_places(look.rows, events)
            batch = Batch(epoch=state.epoch, ids=list(events), seqs=seqs, dead=list(dead))
            await batches.write(self._connection, self._owner, state, batch)
            await self._send(sender, _records(look.rows, events, batch) + list(dead.values()))
            state.acked = state.number
            for row in look.rows:
                metrics.PUBLISHED.labels(row["topic"]).inc()
        return look

    def watermark_is_due(self) -> bool:
        """Whether a second has passed since the last watermark."""
        return time.monotonic() - self._marked_at >= WATERMARK_INTERVAL.total_seconds()

    async def mark(self, sender: Sender, marks: Sequence[Mark]) -> None:
        """Send watermarks; each carries the seq of its shard's last event."""
        self._marked_at = time.monotonic()
        await self._send(sender, [self._mark_record(mark) for mark in marks])

    async def begin_after_loss(self, topics: list[str]) -> None:
        """The log of these topics is gone: a new epoch, and all that the outbox has, again."""
        state = self._state
        _log.error("topic was made anew; sending again", source=self._source, topics=topics)
        state.epoch += 1
        state.republish = sorted({*state.republish, *topics})
        for shard in [shard for shard in state.offsets if shard.split("/")[0] in topics]:
            del state.offsets[shard]
        await batches.begin_epoch(self._connection, self._owner, state, "topic_recreated")

    async def tend(self) -> None:
        """Now and then make the outbox's next days, and free the days that are over."""
        if time.monotonic() - self._tended_at < TENDED_EVERY:
            return
        self._tended_at = time.monotonic()
        gaps = self._state.gaps
        try:
            while await self._connection.fetchval(
                "SELECT tend_outbox($1, $2, $3)", KEPT, gaps.high, gaps.missing
            ):
                pass
        except asyncpg.LockNotAvailableError:
            _log.info("outbox is busy; its days are tended later")
        longer = KEPT + timedelta(days=1)
        await batches.forget(self._connection, before=self._state.acked, longer_ago=longer)

    async def check_level(self) -> None:
        """Look whether this is still the database that was compared with the log.

        Raises:
            LeaseLostError: its rows were loaded anew; everything that we know of it is old.
        """
        if self._follower is not None and not await self._follower.is_level(self._connection):
            raise LeaseLostError("the database was replaced")

    async def _begin_after_restore(self, ends: dict[str, log_ends.LogEnd], bootstrap: str) -> None:
        """Kafka knows places that this database has not given out: never give out one of them.

        Should this stop half way, all of it is done again.
        """
        state, follower = self._state, self._follower
        _log.error("the log is ahead: this database was restored", source=self._source)
        lost = 0
        if follower is not None:
            await follower.behind(self._connection)
            lost = await self._catch_up(follower, bootstrap, ends)
        state.epoch = max(state.epoch, *(end.epoch for end in ends.values())) + 1
        for shard, end in ends.items():
            state.heads[shard] = max(state.heads.get(shard, 0), end.seq)
            state.offsets[shard] = max(state.offsets.get(shard, -1), end.offset - 1)
        async with self._connection.transaction():
            if follower is not None and lost:
                await follower.lost(self._connection, epoch=state.epoch)
            await batches.begin_epoch(self._connection, self._owner, state, "database_restored")

    async def _catch_up(
        self, follower: Follower, bootstrap: str, ends: dict[str, log_ends.LogEnd]
    ) -> int:
        """Take over every event that is missing; how many the log holds no more."""
        state = self._state
        missing = Missing(
            bootstrap,
            ends,
            heads=state.heads,
            offsets=state.offsets,
            security=self._security,
        )
        taken = 0
        async for events in missing.batches():
            async with self._connection.transaction():
                await follower.catch_up(self._connection, events)
            taken += len(events)
            metrics.CAUGHT_UP.inc(len(events))
        log = _log.error if missing.lost else _log.info
        log("caught up with the log", source=self._source, events=taken, lost=missing.lost)
        return missing.lost

    async def _send_again(self, sender: Sender, *, after: int, topics: frozenset[str]) -> None:
        through = self._state.number
        while found := await batches.read(
            self._connection, after=after, through=through, limit=READ_AGAIN
        ):
            for together in _grouped(found):
                await self._send(sender, await self._records_again(together, topics))
            after = found[-1].number

    async def _records_again(
        self, together: Sequence[Batch], topics: frozenset[str]
    ) -> list[Record]:
        ids = [each for batch in together for each in (*batch.ids, *batch.dead)]
        found = (await rows.read(self._connection, ids)).values()
        kept = [row for row in found if row["topic"] in topics or row["topic"] not in TOPIC_BY_NOUN]
        events, dead = self._sort_out(kept)
        records = [record for batch in together for record in _records(kept, events, batch)]
        return records + list(dead.values())

    def _sort_out(self, found: Sequence[Any]) -> tuple[dict[int, Event], dict[int, Record]]:
        """By id: the events of good rows, the dead letters of others."""
        events: dict[int, Event] = {}
        dead: dict[int, Record] = {}
        for row in found:
            try:
                events[row["id"]] = rows.event_of(row, source=self._source)
            except UnpublishableError as error:
                metrics.DEAD_LETTERS.labels(row["topic"]).inc()
                _log.error("outbox row can't be published", id=row["id"], why=str(error))
                dead[row["id"]] = letter_of_row(row, consumer=self._source, why=str(error))
        return events, dead

    def _give_places(self, found: Sequence[Any], events: dict[int, Event]) -> list[int]:
        heads = self._state.heads
        seqs = []
        for row in found:
            if row["id"] in events:
                shard = rows.shard_name(row)
                heads[shard] = heads.get(shard, 0) + 1
                seqs.append(heads[shard])
        return seqs

    async def _send(self, sender: Sender, records: Sequence[Record]) -> None:
        if not records:
            return
        offsets = self._state.offsets
        lost = set()
        for (topic, shard), (lowest, highest) in (await sender.send(records)).items():
            name = f"{_NOUNS[topic]}/{shard}"
            if topic == DEAD_LETTER.name:  # many write there, and nothing is kept of where
                continue
            if lowest <= offsets.get(name, -1):
                lost.add(_NOUNS[topic])
            offsets[name] = highest
        if lost:
            raise LogReplacedError(sorted(lost))

    def _mark_record(self, mark: Mark) -> Record:
        state = self._state
        seq = state.heads.get(f"{mark.topic.noun}/{mark.shard}", 0)
        event = codec.place(
            mark.draft, source=self._source, shard=mark.shard, epoch=state.epoch, seq=seq
        )
        return Record(mark.topic.name, mark.shard, mark.draft.key, codec.encode(event))


def _records(found: Sequence[Any], events: dict[int, Event], batch: Batch) -> list[Record]:
    by_id = {row["id"]: row for row in found}
    return [
        rows.record_of(events[each], by_id[each], epoch=batch.epoch, seq=seq)
        for each, seq in zip(batch.ids, batch.seqs, strict=True)
        if each in events
    ]


def _grouped(found: Sequence[Batch]) -> Iterator[list[Batch]]:
    group: list[Batch] = []
    for batch in found:
        group.append(batch)
        if sum(len(each.ids) for each in group) >= rows.LARGEST_BATCH:
            yield group
            group = []
    if group:
        yield group
