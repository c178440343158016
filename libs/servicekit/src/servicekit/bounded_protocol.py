"""HTTP/1.1 as uvicorn and httptools speak it, with bounds on what a connection may send us."""

from asyncio import Transport
from asyncio.events import TimerHandle
from typing import cast

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

LONGEST_TARGET = 16 * 1024
"""Bytes of the request target: an authorization request with a JWT in it. More answers 414."""

LONGEST_HEAD = 48 * 1024
"""Bytes of target and headers. More answers 431."""

MOST_HEADERS = 100
"""No client of ours sends a third of them. More answers 431."""

HEAD_SECONDS = 10.0
"""For a whole head to arrive; who trickles one is cut off."""

LONGEST_REQUEST = 2 * 1024 * 1024
"""Bytes of a whole request as it is on the wire: chunks of one byte and trailers count too."""


class _TooLargeError(Exception):
    """Ends parsing; httptools turns it into a parser error."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection. A bound that is passed is answered once, and the connection closed."""

    _head_timer: TimerHandle | None = None
    _in_head = True
    _arrived = 0
    _received = 0
    _head_bytes = 0
    _refusal = 400

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn
        """The head's time runs from the start: a silent connection is one that trickles."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """No timer outlives its connection."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what no callback shows: one endless header, a trailer, a chunk's extension."""
        self._arrived = len(data)
        self._received += self._arrived
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head and self._received > LONGEST_HEAD:
            self._cut(431)
        elif self._received > LONGEST_REQUEST:
            self._cut(413)

    def on_message_begin(self) -> None:
        """A request starts."""
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0
        self._received = self._arrived  # it began somewhere in what is being read
        if self._head_timer is None:
            self._await_head()

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        super().on_url(url)
        self._count(len(url))
        if len(self.url) > LONGEST_TARGET:
            self._refuse(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
        super().on_header(name, value)
        self._count(len(name) + len(value))
        if len(self.headers) > MOST_HEADERS:
            self._refuse(431)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_head = False
        self._stop_timer()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """The answer to what can't be parsed, or was refused while it was."""
        if self._answering():
            self.transport.close()  # an answer is under way; another must not mix with it
        elif self._refusal == 400:
            super().send_400_response(msg)
        else:
            self._cut(self._refusal)

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > LONGEST_HEAD:
            self._refuse(431)

    def _refuse(self, status: int) -> None:
        self._refusal = status
        raise _TooLargeError

    def _cut(self, status: int) -> None:
        if not self._answering():
            self.transport.write(
                STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n"
            )
        self.transport.close()

    def _answering(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None before the first request
        return cycle is not None and not cycle.response_complete

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_is_late)

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._in_head and not self.transport.is_closing():
            self._cut(408)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
