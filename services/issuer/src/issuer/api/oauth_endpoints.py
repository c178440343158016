"""The endpoints that every refresh and every introspection passes, on the shortest way to them.

The framework's routing, dependency solving and exception layers cost as much as all the rest of a
refresh (measured); what stands around them, correlation, CORS and headers, is the same for all.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from fastapi import Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from issuer.api import answers
from issuer.api.introspect import introspect
from issuer.api.metadata import path_of
from issuer.api.parts import Parts
from issuer.api.revoke import revoke
from issuer.api.token import token
from oauth.errors import OAuthError, ServerError
from servicekit import problems
from servicekit.postgres import UNAVAILABLE

Endpoint = Callable[[Parts, Request], Awaitable[Response]]

ENDPOINTS: Mapping[str, Endpoint] = {
    "/token": token,
    "/revoke": revoke,
    "/introspect": introspect,
}


@dataclass(frozen=True, slots=True)
class _Route:
    """What metrics call a request by."""

    path: str


@dataclass(slots=True)
class OAuthEndpoints:
    """POST to an endpoint of `ENDPOINTS` is answered here, anything else by `app`.

    `parts` is given once they exist; before that nothing is served.
    """

    app: ASGIApp
    issuer: str
    _endpoints: dict[str, Endpoint] = field(init=False)

    def __post_init__(self) -> None:
        prefix = path_of(self.issuer)
        self._endpoints = {prefix + path: endpoint for path, endpoint in ENDPOINTS.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        path = scope.get("path", "")
        endpoint = self._endpoints.get(path) if scope["type"] == "http" else None
        if endpoint is None:
            await self.app(scope, receive, send)
            return
        scope["route"] = _Route(path)
        request = Request(scope, receive)
        response = await _answer(endpoint, request) if request.method == "POST" else _post_only()
        await response(scope, receive, send)


async def _answer(endpoint: Endpoint, request: Request) -> Response:
    request.scope[problems.UNEXPECTED] = _unexpected
    try:
        return await endpoint(request.app.state.parts, request)
    except OAuthError as error:
        return answers.told(request, error)
    except UNAVAILABLE as error:
        return answers.unavailable(request, error)


def _unexpected() -> Response:
    """RFC 6749 section 5.2 has no code for it at these endpoints; 4.1.2.1 has it for the case."""
    return answers.refused(ServerError())


def _post_only() -> Response:
    allow = {"Allow": "POST"}
    return problems.response(problems.Problem(405, "Method Not Allowed", headers=allow))
