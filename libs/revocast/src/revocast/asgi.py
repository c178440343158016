"""Protects a whole ASGI application, of any framework; it needs none itself."""

import json
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

from revocast.bearer import response_headers, token_of
from revocast.errors import TokenRefused
from revocast.guard import Guard

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CLAIMS = "revocast.claims"
"""Where a protected request's scope holds the caller's `Claims`."""

POLICY_VIOLATION = 1008
"""The WebSocket close code (RFC 6455 section 7.4.1) of a refused handshake."""


class GuardMiddleware:
    """Lets only requests with a good token of all `scopes` through to `app`.

    `unprotected` are exact paths that pass without a token. The guard runs as long as the
    application's lifespan; where the server or application has none, start it yourself.
    """

    def __init__(
        self,
        app: App,
        guard: Guard,
        *,
        scopes: Collection[str] = (),
        unprotected: Collection[str] = (),
    ) -> None:
        self._app = app
        self._guard = guard
        self._scopes = tuple(scopes)
        self._unprotected = frozenset(unprotected)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        if scope["type"] == "lifespan":
            async with self._guard:
                return await self._app(scope, receive, send)
        if scope["path"] not in self._unprotected:
            try:
                token = token_of(scope["headers"])
                scope[CLAIMS] = await self._guard.check(token, scopes=self._scopes)
            except TokenRefused as refused:
                return await self._refuse(refused, scope, send)
        return await self._app(scope, receive, send)

    async def _refuse(self, refused: TokenRefused, scope: Scope, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        body = json.dumps({"detail": refused.description}).encode()
        headers = response_headers(refused, realm=self._guard.realm, scopes=self._scopes)
        headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": refused.status, "headers": raw})
        await send({"type": "http.response.body", "body": body})
