"""Every event becomes a record, in the transaction that moves the consumer's position."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import structlog

from audit.domain.record import NewRecord, in_utc, storable
from audit.usecases.append_records import append_records
from messaging.consume import Received
from revocast_contracts.activity import AccountDisabled
from revocast_contracts.dead_letters import LetterDied
from revocast_contracts.envelope import Data
from revocast_contracts.lifecycle import ClientDisabled, KillApplied, WatermarkPassed
from revocast_contracts.selectors import Selector, SelectorKind
from revocast_contracts.topics import (
    DEAD_LETTER,
    ISSUER_ACTIVITY,
    SECURITY_SIGNALS,
    TOKEN_LIFECYCLE,
)
from servicekit import metrics
from servicekit.postgres import Connection

GROUP = "audit"
TOPICS = (TOKEN_LIFECYCLE, ISSUER_ACTIVITY, SECURITY_SIGNALS, DEAD_LETTER)

_log = structlog.get_logger()

_LETTER_MEMBERS = frozenset(LetterDied.model_fields) - {"original"}


async def record_events(connection: Connection, batch: Sequence[Received]) -> Callable[[], None]:
    """Record a batch, except watermarks, which are no facts about anything.

    What it returns counts the records and logs the decisions among them; call it once they are
    committed.
    """
    events = [one for one in batch if not isinstance(one.event.data, WatermarkPassed)]
    appended = await append_records(connection, [_record(one) for one in events])
    return partial(_tell, appended)


def _tell(appended: Sequence[NewRecord]) -> None:
    """Decisions are rare: each gets a line under the id of the request that led to it."""
    for record in appended:
        if record.topic == SECURITY_SIGNALS.name:
            _log.info("recorded", type=record.type, correlation_id=record.correlation_id)
        elif record.topic == DEAD_LETTER.name:
            _log.error("a dead letter", event_id=str(record.event_id))
    for topic, count in Counter(record.topic for record in appended).items():
        metrics.increment("revocast_records_total", count, topic=topic)


def _record(received: Received) -> NewRecord:
    event = received.event
    data = event.data
    members = data.model_extra or vars(data)
    selector = _selector(data)
    named = _named(data, selector)
    return NewRecord(
        event_id=UUID(int=event.id.int),
        time=in_utc(event.time),
        type=storable(event.type),
        topic=received.topic,
        partition=received.partition,
        epoch=event.epoch,
        seq=event.seq,
        family=_text(members, "family") or named.get(SelectorKind.FAMILY),
        session=_text(members, "session") or named.get(SelectorKind.SESSION),
        subject=_text(members, "sub") or named.get(SelectorKind.SUBJECT),
        client=_text(members, "client_id") or named.get(SelectorKind.CLIENT),
        correlation_id=storable(event.correlationid),
        selector=None if selector is None else _written(selector),
        event=_bytes(received),
        dated=received.topic != DEAD_LETTER.name,
    )


def _text(members: Mapping[str, Any], name: str) -> str | None:
    """A member as a column, whatever the type: events from the future are found as well."""
    value = members.get(name)
    return storable(value) if isinstance(value, str) and value else None


def _selector(data: Data) -> Selector | None:
    """What the event ends beside a family of its own."""
    match data:
        case ClientDisabled(client_id=client_id):
            return Selector(kind=SelectorKind.CLIENT, value=client_id)
        case AccountDisabled(sub=sub):
            return Selector(kind=SelectorKind.SUBJECT, value=sub)
        case _:
            selector = vars(data).get("selector")
            return selector if isinstance(selector, Selector) else None


def _named(data: Data, selector: Selector | None) -> dict[SelectorKind, str]:
    """What a selector names in clear; what the issuer applied has subjects as keyed hashes."""
    if selector is None or isinstance(data, KillApplied):
        return {}
    return {selector.kind: storable(selector.value)}


def _written(selector: Selector) -> str:
    if selector.kind is SelectorKind.ISSUER:
        return selector.kind.value
    return storable(str(selector))


def _bytes(received: Received) -> bytes:
    """The record's bytes as they came; of a dead letter all but the original.

    The original is what nobody could read: it may hold anything, and up to 256 KiB of it. Its
    hash stays, and so do the bytes on the topic for as long as operators need them.
    """
    if received.topic != DEAD_LETTER.name:
        return received.raw
    letter = json.loads(received.raw)
    letter["data"] = {key: letter["data"][key] for key in _LETTER_MEMBERS & letter["data"].keys()}
    return json.dumps(letter, separators=(",", ":"), sort_keys=True).encode()
