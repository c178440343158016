"""What nobody can read is set aside with its reason, so that its partition goes on."""

import hashlib
import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from messaging.sender import Record
from revocast_contracts import codec
from revocast_contracts.dead_letters import LetterDied
from revocast_contracts.envelope import Draft
from revocast_contracts.topics import DEAD_LETTER

LONGEST_ORIGINAL = 256 * 1024
"""Bytes of the original that are kept: more would not fit into a record."""


def letter(
    *, topic: str, partition: int, offset: int, consumer: str, why: str, original: bytes
) -> Record:
    """A dead letter. The same record makes the same letter again, so that a repeat is no second."""
    sha256 = hashlib.sha256(original).hexdigest()
    place = f"{topic}/{partition}/{offset}"
    died = LetterDied(
        topic=topic,
        partition=partition,
        offset=offset,
        consumer=consumer,
        reason=why[:1000],
        sha256=sha256,
        original=b64encode(original[:LONGEST_ORIGINAL]).decode(),
    )
    draft = Draft(
        id=uuid5(NAMESPACE_URL, f"revocast:letter:{consumer}:{place}:{sha256}"),
        key=place,
        subject=place,
        time=datetime.now(UTC),
        correlation_id=place,
        data=died,
    )
    shard = DEAD_LETTER.shard(place)
    event = codec.place(draft, source=consumer, shard=shard, epoch=1, seq=0)
    return Record(DEAD_LETTER.name, shard, place, codec.encode(event))


def letter_of_row(row: Any, *, consumer: str, why: str) -> Record:
    """A dead letter for an outbox row that violates its schema; its offset is the row's id."""
    original = json.dumps({"type": row["type"], "data": row["data"]}).encode()
    return letter(
        topic=row["topic"],
        partition=row["shard"],
        offset=row["id"],
        consumer=consumer,
        why=why,
        original=original,
    )
