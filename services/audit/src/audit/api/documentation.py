"""The query parameters as OpenAPI shows them; `parameters.py` is what reads them."""

from typing import Any

_UUID = {"type": "string", "format": "uuid"}
_TEXT = {"type": "string", "maxLength": 512}
_TIME = {"type": "string", "format": "date-time"}
_CURSOR = {"type": "string", "minLength": 23, "maxLength": 23}
_LIMIT = {"type": "integer", "minimum": 1, "maximum": 500}


def _query(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": description}


_PAGE = [
    _query("limit", _LIMIT, "How many records at most."),
    _query("cursor", _CURSOR, "`next` of the answer before, with the same filters and order."),
]

STORY: dict[str, Any] = {"parameters": _PAGE}
SEARCH: dict[str, Any] = {
    "parameters": [
        _query("family", _UUID, "The family that the event is about."),
        _query("session", _UUID, "The sign-in."),
        _query("subject", _TEXT, "The account, or the client that acts for itself."),
        _query("client", _TEXT, "The client."),
        _query("type", _TEXT, "The event's type, whole: `revocast.token.rotated.v1`."),
        _query("correlation_id", _TEXT, "What one request caused, in all services."),
        _query("from", _TIME, "Events of this time or later."),
        _query("to", _TIME, "Events of an earlier time."),
        _query("order", {"type": "string", "enum": ["newest", "oldest"]}, "By index."),
        *_PAGE,
    ]
}
