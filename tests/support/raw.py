"""Requests that no well-behaved HTTP client would send."""

from collections.abc import MutableMapping
from typing import Any

import httpx
from starlette.types import ASGIApp


async def get_raw(
    app: ASGIApp, path: str, query: bytes, headers: dict[str, str] | None = None
) -> httpx.Response:
    """GET with a query of any bytes and any length."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": [
            (name.lower().encode(), value.encode())
            for name, value in {"host": "id.example", **(headers or {})}.items()
        ],
        "client": ("192.0.2.1", 50_000),
        "server": ("id.example", 443),
    }
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent)
    return httpx.Response(sent[0]["status"], headers=sent[0]["headers"], content=body)
