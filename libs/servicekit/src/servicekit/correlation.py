"""One id follows a request through logs, events and services."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.types import EventDict, WrappedLogger

from revocast_contracts.envelope import uuid7

HEADER = "X-Request-Id"
SCOPE_KEY = "servicekit.correlation_id"
"""Where the id stands in the ASGI scope, for whoever is outside of the middleware."""

_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}")
_current: ContextVar[str | None] = ContextVar("correlation_id", default=None)


def correlation_id() -> str:
    """The id of what is being done; a new UUIDv7 each time when nothing named it."""
    return _current.get() or str(uuid7())


@contextmanager
def bind(name: str) -> Iterator[None]:
    """Do something under an id; the log shows it."""
    token = _current.set(name)
    try:
        yield
    finally:
        _current.reset(token)


def add_to_log(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """structlog's processor: a line that is logged under an id carries it."""
    current = _current.get()
    if current is not None:
        event.setdefault("correlation_id", current)
    return event


def of(scope: Scope) -> str:
    """The id of a request from here on: the caller's if it is well-formed, else a new one."""
    chosen: str = scope.setdefault(SCOPE_KEY, _sent(scope) or str(uuid7()))
    return chosen


class CorrelationMiddleware:
    """Takes the caller's id if it is well-formed, else makes one; answers it back."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        name = of(scope)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = name
            await send(message)

        with bind(name):
            await self.app(scope, receive, answer)


def _sent(scope: Scope) -> str | None:
    """The caller's id; one that is sent twice is nobody's."""
    sent = [value for header, value in scope["headers"] if header == b"x-request-id"]
    if len(sent) != 1:
        return None
    text: str = sent[0].decode("latin-1")
    return text if _WELL_FORMED.fullmatch(text) else None
