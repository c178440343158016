"""OAuth answers and errors as JSON; nothing of them may be kept by anybody (RFC 6749 section 5)."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from oauth.errors import InvalidRequest, OAuthError, TemporarilyUnavailable
from oauth.forms import LONGEST, MalformedError, parse_form
from servicekit import metrics
from servicekit.postgres import UNAVAILABLE

NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}

BODY_SECONDS = 10.0
"""How long a body may take to arrive: it fits into a few packets."""

_log = structlog.get_logger()


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_SAID = [
    (b"content-type", b"application/json"),
    *((name.lower().encode(), value.encode()) for name, value in NOT_STORED.items()),
]


class _Answer(JSONResponse):
    """As its parent makes it, without an encoder and a pass over the headers for each answer."""

    def render(self, content: Any) -> bytes:
        """As JSON."""
        return _ENCODER.encode(content).encode()

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        """Always the same but for the length."""
        self.raw_headers = [(b"content-length", b"%d" % len(self.body)), *_SAID]


def answer(body: dict[str, Any]) -> JSONResponse:
    """A successful answer."""
    return _Answer(body)


async def read_form(request: Request) -> dict[str, str]:
    """The parameters of a POST.

    Raises:
        InvalidRequest: not a form, a malformed or too long one, or it did not arrive.
    """
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await _read(request)
        return parse_form(body, request.headers.get("content-type"))
    except MalformedError as error:
        raise InvalidRequest(why=f"The request is malformed: {error}.") from None
    except (TimeoutError, ClientDisconnect):
        raise InvalidRequest(why="The request did not arrive.") from None


async def _read(request: Request) -> bytes:
    """The body, given up as soon as it is too long to be parsed."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST:
            raise MalformedError("too long")
    return body


def required(form: dict[str, str], name: str) -> str:
    """A parameter that has to be there.

    Raises:
        InvalidRequest: it is not.
    """
    if name not in form:
        raise InvalidRequest(why=f"The parameter {name} is missing.")
    return form[name]


def refused(error: OAuthError) -> JSONResponse:
    """An error as RFC 6749 section 5.2 wants it."""
    why = error.why if isinstance(error, InvalidRequest) else None
    body = {"error": error.code, "error_description": why or error.description}
    return JSONResponse(body, error.status, headers={**NOT_STORED, **error.headers})


def told(request: Request, error: OAuthError) -> JSONResponse:
    """A refusal as an answer, counted and logged."""
    metrics.increment("revocast_tokens_refused_total", error=error.code)
    _log.info("refused", path=request.url.path, error=error.code, detail=error.detail)
    return refused(error)


def unavailable(request: Request, error: Exception) -> JSONResponse:
    """A database that can't decide now, as an OAuth error."""
    _log.warning("database unavailable", path=request.url.path, error=type(error).__name__)
    return refused(TemporarilyUnavailable())


def install(app: FastAPI) -> None:
    """Let an app answer OAuth errors, and a database that can't decide now as one of them."""

    async def on_refusal(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, OAuthError)  # noqa: S101 -- registered for these
        return told(request, error)

    async def on_outage(request: Request, error: Exception) -> JSONResponse:
        return unavailable(request, error)

    app.add_exception_handler(OAuthError, on_refusal)
    for each in UNAVAILABLE:
        app.add_exception_handler(each, on_outage)
