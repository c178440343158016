"""The endpoints that every refresh and every introspection passes, on the shortest way to them.

The framework's routing, dependency solving, middleware and exception layers cost as much as all the
rest of a refresh (measured); here stands what an answer needs of them, and nothing else.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from fastapi import FastAPI, Request, Response
from starlette.types import Receive, Scope, Send

from issuer.api import answers
from issuer.api.cors import EXPOSED_TO_SCRIPTS, PATHS, VARIES
from issuer.api.headers import always
from issuer.api.introspect import introspect
from issuer.api.metadata import path_of
from issuer.api.parts import Parts
from issuer.api.revoke import revoke
from issuer.api.token import token
from oauth.errors import OAuthError, ServerError
from servicekit import correlation, problems
from servicekit.postgres import UNAVAILABLE

Endpoint = Callable[[Parts, Request], Awaitable[Response]]

ENDPOINTS: Mapping[str, Endpoint] = {
    "/token": token,
    "/revoke": revoke,
    "/introspect": introspect,
}


_NAME = correlation.HEADER.lower().encode()


@dataclass(frozen=True, slots=True)
class _Route:
    """`path` is what metrics call a request by; `to_scripts` goes where an Origin is named."""

    path: str
    endpoint: Endpoint
    headers: list[tuple[bytes, bytes]]
    to_scripts: list[tuple[bytes, bytes]]


@dataclass(slots=True)
class OAuthEndpoints:
    """A request to an endpoint of `ENDPOINTS` is answered here, but for a browser's preflight;
    anything else by `app`.

    `app.state.parts` is there once the app has started.
    """

    app: FastAPI
    issuer: str
    _routes: dict[str, _Route] = field(init=False)

    def __post_init__(self) -> None:
        prefix = path_of(self.issuer)
        self._routes = {
            prefix + path: _route(prefix + path, endpoint, self.issuer, is_open=path in PATHS)
            for path, endpoint in ENDPOINTS.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        route = self._routes.get(scope.get("path", ""))
        if route is None or scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        sent = {name for name, _ in scope["headers"]}
        if b"access-control-request-method" in sent:
            await self.app(scope, receive, send)
            return
        scope["route"] = route
        name = correlation.of(scope)
        with correlation.bind(name):
            response = await self._answer(route, Request(scope, receive))
            response.raw_headers += route.headers
            if b"origin" in sent:
                response.raw_headers += route.to_scripts
            response.raw_headers.append((_NAME, name.encode()))
            await response(scope, receive, send)

    async def _answer(self, route: _Route, request: Request) -> Response:
        if request.method != "POST":
            return _post_only()
        try:
            return await route.endpoint(self.app.state.parts, request)
        except OAuthError as error:
            return answers.told(request, error)
        except UNAVAILABLE as error:
            return answers.unavailable(request, error)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the caller gets an answer
            problems.log_unexpected(error)
            return answers.refused(ServerError())


def _route(path: str, endpoint: Endpoint, issuer: str, *, is_open: bool) -> _Route:
    headers = always(secure=issuer.startswith("https:"))
    return _Route(
        path=path,
        endpoint=endpoint,
        headers=_raw(headers | (VARIES if is_open else {})),
        to_scripts=_raw(EXPOSED_TO_SCRIPTS if is_open else {}),
    )


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """As ASGI has them: setting them by name, one by one, costs more than the rest of an answer."""
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def _post_only() -> Response:
    allow = {"Allow": "POST"}
    return problems.response(problems.Problem(405, headers=allow))
