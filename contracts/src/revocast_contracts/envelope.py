"""The CloudEvents 1.0 envelope of every event; structured mode, so that the value is whole."""

import os
import time
from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

CONTENT_TYPE = "application/cloudevents+json; charset=UTF-8"
TYPE_PREFIX = "revocast."


def uuid7() -> UUID:
    """A time-ordered UUID (RFC 9562 section 5.7): event ids sort by the time they were made."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds << 80) | random
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return UUID(int=value)


class Data(BaseModel):
    """What an event says. Reading ignores unknown members; writing validates the closed schema."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    event_type: ClassVar[str]


class Event(BaseModel):
    """One fact, in the words of CloudEvents 1.0.

    `shard`, `epoch` and `seq` are the relay's: the partition, the life of the log, and the dense
    position in it. A republished event keeps its id, epoch and seq.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"] = "1.0"
    id: UUID
    source: str
    type: str
    subject: str
    time: AwareDatetime
    datacontenttype: str = "application/json"
    partitionkey: str
    correlationid: str
    shard: int = Field(ge=0, le=2**15 - 1)
    epoch: int = Field(ge=1, le=2**31 - 1)
    seq: int = Field(ge=0, le=2**63 - 1)
    data: Data


class Draft(BaseModel):
    """An event before the relay gave it its place: what a use case writes to its outbox.

    `key` decides the partition, `subject` names what the event is about (a family, a client, ...).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: UUID = Field(default_factory=uuid7)
    key: str
    subject: str
    time: datetime
    correlation_id: str
    data: Data
