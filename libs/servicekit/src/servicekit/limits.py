"""Bounds on what a request's body may be, before any of our code reads it."""

import asyncio

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from servicekit import problems

LONGEST_BODY = 128 * 1024
"""Bytes. Our largest request is a form with a JWT in it."""

LONGEST_READ_SECONDS = 20.0
"""For a whole body: a slow line carries 128 KiB in it; who trickles holds no task of ours."""


class BodyLimit:
    """Answers 413 as soon as a body is known to be longer than `longest` bytes, 408 when it
    takes longer than `seconds` to arrive. The app never sees such a body to its end.
    """

    def __init__(
        self,
        app: ASGIApp,
        longest: int = LONGEST_BODY,
        seconds: float = LONGEST_READ_SECONDS,
    ) -> None:
        self.app = app
        self.longest = longest
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if _declared(scope, self.longest) > self.longest:
            await _answer(_too_large(), scope, receive, send)
            return
        body = _BoundedBody(receive, self.longest, self.seconds)
        answer = _GuardedAnswer(body, scope, send)
        try:
            await self.app(scope, body.receive, answer.send)
        except HTTPException as error:
            if error is not body.refusal or answer.started:
                raise
            await answer.refuse()


class _BoundedBody:
    """A request's body, counted and timed while the app reads it."""

    def __init__(self, receive: Receive, longest: int, seconds: float) -> None:
        self.refusal: HTTPException | None = None
        self._receive = receive
        self._longest = longest
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._read = 0
        self._whole = False

    async def receive(self) -> Message:
        """The next part.

        Raises:
            HTTPException: 413 or 408, when a bound is passed.
        """
        if self._whole:  # waiting for the caller to leave may take as long as it takes
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            self.refusal = HTTPException(408, "The body took too long.", _CLOSE)
            raise self.refusal from None
        self._whole = not message.get("more_body", False)
        self._read += len(message.get("body", b""))
        if self._read > self._longest:
            self.refusal = _too_large()
            raise self.refusal
        return message


class _GuardedAnswer:
    """An answer that becomes the refusal when the body was refused before it started.

    Frameworks catch what is raised while they read a body, and say 400 (FastAPI does).
    """

    def __init__(self, body: _BoundedBody, scope: Scope, send: Send) -> None:
        self.started = False
        self._body = body
        self._scope = scope
        self._send = send
        self._refused = False

    async def send(self, message: Message) -> None:
        """The app's next message, unless a refusal went out in its place."""
        if self._refused:
            return
        if self._body.refusal is not None and not self.started:
            await self.refuse()
            return
        self.started = True
        await self._send(message)

    async def refuse(self) -> None:
        """The refusal, whole."""
        self.started = self._refused = True
        refusal = self._body.refusal or _too_large()
        await _answer(refusal, self._scope, self._body.receive, self._send)


_CLOSE = {"Connection": "close"}


def _too_large() -> HTTPException:
    return HTTPException(413, "The request is too large.", _CLOSE)


def _declared(scope: Scope, longest: int) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value) if len(value) < 19 else longest + 1
    return 0


async def _answer(refusal: HTTPException, scope: Scope, receive: Receive, send: Send) -> None:
    problem = problems.Problem(refusal.status_code, str(refusal.detail), headers=_CLOSE)
    await problems.response(problem)(scope, receive, send)
