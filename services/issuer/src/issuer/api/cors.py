"""Which endpoints a browser's scripts may call: those that no cookie gives any power."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

PATHS = ("/token", "/revoke", "/userinfo")
EXPOSED = ["WWW-Authenticate", "Retry-After", "X-Request-Id"]
"""Headers that a script may read."""

VARIES = {"Vary": "Origin"}
EXPOSED_TO_SCRIPTS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": ", ".join(EXPOSED),
}
"""What an open endpoint tells a browser, for those that are answered before the middleware."""

WELL_KNOWN = "/.well-known/"


class OpenEndpoints:
    """Cross-origin access to the token, revocation and userinfo endpoints and the documents.

    Any origin may: these endpoints know a caller by what it presents, never by a cookie, so an
    origin that calls them has no more power than a program without a browser; and a preflight does
    not say for which client it asks. The authorization endpoint and the pages are closed, as RFC
    9700 section 2.1 asks, and introspection is nothing for browsers.
    """

    def __init__(self, app: ASGIApp, *, prefix: str = "") -> None:
        self.app = app
        self._paths = frozenset(prefix + path for path in PATHS)
        self._documents = (WELL_KNOWN, prefix + WELL_KNOWN)
        self.open = CORSMiddleware(
            app,
            allow_origins=["*"],
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=EXPOSED,
            max_age=3600,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        path = scope.get("path", "")
        is_open = path in self._paths or path.startswith(self._documents)
        await (self.open if scope["type"] == "http" and is_open else self.app)(scope, receive, send)
