"""The outbox: an event goes in with the change it tells of, or neither does."""

from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from revocast_contracts.envelope import Draft
from revocast_contracts.topics import Topic


async def append(
    connection: "asyncpg.Connection[Any] | PoolConnectionProxy[Any]", topic: Topic, *drafts: Draft
) -> None:
    """Insert events in the caller's transaction, in their order and in one round trip.

    Insert them after the locks of what they tell.
    """
    await connection.executemany(
        "INSERT INTO outbox"
        " (event_id, topic, shard, key, type, subject, correlation_id, occurred_at, data)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        [
            (
                draft.id,
                topic.noun,
                topic.shard(draft.key),
                draft.key,
                draft.data.event_type,
                draft.subject,
                draft.correlation_id,
                draft.time,
                draft.data.model_dump(mode="json"),
            )
            for draft in drafts
        ],
    )
