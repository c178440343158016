"""How records and families look over HTTP: ASCII-only JSON, so that hostile text stays inert."""

import json
import math
from base64 import b64encode
from hashlib import sha256
from typing import Any

from fastapi import Response

from audit.domain.family import Ending, FamilyStory
from audit.domain.record import Record

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def answer(members: dict[str, Any]) -> Response:
    """Members as a JSON answer; what was recorded must neither run nor be kept on the way."""
    body = json.dumps(members, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Response(body, media_type="application/json", headers=_HEADERS)


def record_view(record: Record) -> dict[str, Any]:
    """A record: its place, the columns it is found by, its bytes' hash, and what they say."""
    return {
        "index": record.index,
        "type": record.type,
        "time": record.time.isoformat(),
        "recorded_at": record.recorded_at.isoformat(),
        "family": record.family,
        "session": record.session,
        "subject": record.subject,
        "client": record.client,
        "correlation_id": record.correlation_id,
        "topic": record.topic,
        "partition": record.partition,
        "epoch": record.epoch,
        "seq": record.seq,
        "event_id": str(record.event_id),
        "sha256": sha256(record.event).hexdigest(),
        "event": _said(record.event),
    }


def whole_record_view(record: Record) -> dict[str, Any]:
    """The same with the very bytes that were recorded, base64."""
    return {**record_view(record), "bytes": b64encode(record.event).decode()}


def family_view(story: FamilyStory, cursor: str | None) -> dict[str, Any]:
    """A family's story."""
    return {
        "family": story.family,
        "state": _state(story.ending),
        **_ending(story.ending),
        "client": story.client,
        "subject": story.subject,
        "session": story.session,
        "started_at": story.started_at.isoformat(),
        "generation": story.generation,
        "records": [record_view(record) for record in story.records],
        "next": cursor,
    }


def _state(ending: Ending | None) -> str:
    if ending is None:
        return "active"
    return "expired" if ending.expired else "ended"


def _ending(ending: Ending | None) -> dict[str, Any]:
    if ending is None:
        return {"cause": None, "ended_at": None, "ended_by": None, "kill": None}
    kill = ending.kill and {
        "kill_id": ending.kill.kill_id,
        "selector": ending.kill.selector,
        "cause": ending.kill.cause,
        "actor": ending.kill.actor,
        "reason": ending.kill.reason,
    }
    return {
        "cause": ending.cause,
        "ended_at": ending.at.isoformat(),
        "ended_by": list(ending.records),
        "kill": kill,
    }


def _said(event: bytes) -> Any:
    """An event's JSON. Numbers that JSON does not have become their names."""
    try:
        return json.loads(event, parse_float=_number, parse_constant=str)
    except (ValueError, RecursionError):
        return None


def _number(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text
