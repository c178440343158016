"""Bounds on what a request may be, before any of our code reads it."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LONGEST_BODY = 128 * 1024
"""Bytes. Our largest request is a form with a JWT in it."""


class BodyLimit:
    """Answers 413 as soon as a body is known to be longer than `longest` bytes."""

    def __init__(self, app: ASGIApp, longest: int = LONGEST_BODY) -> None:
        self.app = app
        self.longest = longest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if _declared(scope) > self.longest:
            await _refuse(send)
            return
        try:
            await self.app(scope, self._bounded(receive), send)
        except _TooLargeError:
            await _refuse(send)

    def _bounded(self, receive: Receive) -> Receive:
        read = 0

        async def bounded() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.longest:
                raise _TooLargeError
            return message

        return bounded


class _TooLargeError(Exception):
    """The body went over the limit while it was read; nothing has been answered yet."""


def _declared(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


async def _refuse(send: Send) -> None:
    body = b'{"type":"about:blank","title":"The request is too large.","status":413}'
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
