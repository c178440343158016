"""Bytes on a topic <-> events. Writing is strict, reading is tolerant."""

from typing import Any, ClassVar, get_args

import pydantic
from pydantic import BaseModel, ConfigDict
from pydantic_core import from_json

from revocast_contracts.envelope import Data, Draft, Event
from revocast_contracts.open_words import READING
from revocast_contracts.topics import TOPICS

TYPES: dict[str, type[Data]] = {data.event_type: data for topic in TOPICS for data in topic.types}


class UndecodableError(ValueError):
    """The bytes are not an event of these contracts. `str()` says why, without the bytes."""


class UnknownData(Data):
    """The data of a type that this version does not know; kept whole in `members`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    event_type: ClassVar[str] = ""


def validate(event_type: str, members: dict[str, Any]) -> Data:
    """Members -> data of that type, refusing any member the contract does not list.

    Raises:
        UndecodableError: the type is unknown, or the members violate its closed schema.
    """
    model = TYPES.get(event_type)
    if model is None:
        raise UndecodableError("unknown event type")
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
        members = from_json(value)
    except ValueError:
        raise UndecodableError("not JSON") from None
    try:
        envelope = _Envelope.model_validate(members)
    except pydantic.ValidationError as error:
        raise UndecodableError(_reason("event", error)) from None
    model = TYPES.get(envelope.type, UnknownData)
    try:
        data = model.model_validate(envelope.data, context=READING)
    except pydantic.ValidationError as error:
        raise UndecodableError(_reason(model.event_type or "data", error)) from None
    return Event.model_construct(**{**dict(envelope), "data": data})


class _Envelope(Event):
    """An event whose data was not looked at yet."""

    data: Any


def _reason(what: str, error: pydantic.ValidationError) -> str:
    """The first violation: the member and pydantic's code for what is wrong with it.

    Neither pydantic's message nor a member that we do not know is told: both are input.
    """
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    where = ".".join(str(part) if part in _MEMBERS else "?" for part in first["loc"])
    return f"{what}: {where}: {first['type']}" if where else f"{what}: {first['type']}"


def _members(model: type[BaseModel]) -> set[str]:
    """The names of a model's members, and of those of the models in it."""
    names = set(model.model_fields)
    for field in model.model_fields.values():
        for inner in (field.annotation, *get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                names |= _members(inner)
    return names


_MODELS: list[type[BaseModel]] = [Event, *TYPES.values()]
_MEMBERS = frozenset(name for model in _MODELS for name in _members(model))
