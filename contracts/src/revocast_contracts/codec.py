"""Bytes on a topic <-> events. Writing is strict, reading is tolerant."""

from typing import Any, ClassVar
from uuid import UUID

import pydantic
from pydantic import BaseModel, ConfigDict

from revocast_contracts.envelope import Data, Draft, Event
from revocast_contracts.topics import TOPICS

TYPES: dict[str, type[Data]] = {data.event_type: data for topic in TOPICS for data in topic.types}


class UndecodableError(ValueError):
    """The bytes are not an event of these contracts. `str()` says why, without the bytes."""


class UnknownData(Data):
    """The data of a type that this version does not know; kept whole in `members`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    event_type: ClassVar[str] = ""


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore")

    type: str
    data: dict[str, Any]


def validate(event_type: str, members: dict[str, Any]) -> Data:
    """Members -> data of that type, refusing any member the contract does not list.

    Raises:
        UndecodableError: the type is unknown, or the members violate its closed schema.
    """
    model = TYPES.get(event_type)
    if model is None:
        raise UndecodableError(f"unknown event type {event_type!r}")
    try:
        return model.model_validate(members, extra="forbid")
    except pydantic.ValidationError as error:
        raise UndecodableError(_reason(event_type, error)) from None


def place(draft: Draft, *, source: str, shard: int, epoch: int, seq: int) -> Event:
    """A draft and the place its relay gave it -> the event."""
    return Event(
        id=draft.id,
        source=source,
        type=draft.data.event_type,
        subject=draft.subject,
        time=draft.time,
        partitionkey=draft.key,
        correlationid=draft.correlation_id,
        shard=shard,
        epoch=epoch,
        seq=seq,
        data=draft.data,
    )


def encode(event: Event) -> bytes:
    """The value of the Kafka record: CloudEvents 1.0, structured mode, JSON."""
    return event.model_dump_json(serialize_as_any=True).encode()


def decode(value: bytes) -> Event:
    """The value of a Kafka record -> the event; a type from the future gives `UnknownData`.

    Raises:
        UndecodableError: not JSON, not an envelope, or data that violates its schema.
    """
    try:
        wire = _Wire.model_validate_json(value)
        model = TYPES.get(wire.type, UnknownData)
        data = model.model_validate(wire.data)
        envelope = _Envelope.model_validate_json(value)
    except pydantic.ValidationError as error:
        raise UndecodableError(_reason("event", error)) from None
    return Event.model_construct(**{**dict(envelope), "data": data})


class _Envelope(Event):
    data: Any

    id: UUID


def _reason(what: str, error: pydantic.ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{what}: {where}: {first['msg']}" if where else f"{what}: {first['msg']}"
