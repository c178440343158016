"""Counts and times every request by its route; `serve.run` puts it around each app."""

from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from servicekit import metrics

UNMATCHED = "unmatched"
"""The route of requests that have none: their paths are the caller's own text."""


class RequestMetrics:
    """Observes `revocast_http_requests_total` and `revocast_http_request_seconds`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = perf_counter()
        status = 500

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, note)
        finally:
            route = getattr(scope.get("route"), "path", UNMATCHED)
            metrics.increment(
                "revocast_http_requests_total", route=route, status=f"{status // 100}xx"
            )
            metrics.observe("revocast_http_request_seconds", perf_counter() - began, route=route)
