"""Errors of the HTTP APIs as RFC 9457 problems; nothing unexpected tells more than that it was."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from servicekit import correlation
from servicekit.postgres import UNAVAILABLE

MEDIA_TYPE = "application/problem+json"
MOST_ERRORS = 20
"""How many mistakes of one request are listed."""
RETRY_AFTER_SECONDS = 1
ANSWERED = "servicekit.answered"
"""Set in the ASGI scope when an exception was logged and answered whole."""

_RENAMED = {413: "Content Too Large", 422: "Unprocessable Content"}
"""By RFC 9110; Python's names of them depend on its version."""

_log = structlog.get_logger()


class Problem(Exception):
    """What is wrong with a request, for the caller to read (RFC 9457 section 3.1).

    None of ours has a type of its own: the type is `about:blank`, so the title is the phrase of
    the status (section 4.2.1). `detail` says what it is this time; `extras` are its own members.
    """

    def __init__(
        self,
        status: int,
        detail: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        **extras: Any,
    ) -> None:
        super().__init__(detail or phrase(status))
        self.status = status
        self.headers = dict(headers or {})
        self.members = {"type": "about:blank", "title": phrase(status), "status": status, **extras}
        if detail is not None:
            self.members["detail"] = detail


def phrase(status: int) -> str:
    """The recommended phrase of a status (RFC 9110 section 15), whatever this Python calls it."""
    return _RENAMED.get(status) or HTTPStatus(status).phrase


def response(problem: Problem) -> JSONResponse:
    """A problem as an answer, with the correlation id to quote to an operator."""
    body = {**problem.members, "correlation_id": correlation.correlation_id()}
    return JSONResponse(body, problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let an app answer with problems: its own, FastAPI's, and 500 or 503 for the unexpected."""

    @app.exception_handler(Problem)
    async def told(_: Request, problem: Problem) -> JSONResponse:
        return response(problem)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        errors = [_mistake(each) for each in error.errors()[:MOST_ERRORS]]
        return response(Problem(422, "The request is not valid.", errors=errors))

    @app.exception_handler(HTTPException)
    async def plain(_: Request, error: HTTPException) -> JSONResponse:
        said = str(error.detail)
        detail = None if said == HTTPStatus(error.status_code).phrase else said
        return response(Problem(error.status_code, detail, headers=error.headers))

    app.add_middleware(LastResort)


class LastResort:
    """Answers whatever nothing else answered: 503 when the database can't, else 500, logged.

    The exception goes on, as it does in Starlette: `serve.run` drops what was answered, tests may
    look at it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, note)
        except ClientDisconnect:
            return  # nobody is left to answer
        except Exception as error:
            # The correlation middleware may stand inside of us: its binding is gone by now.
            name = scope.get(correlation.SCOPE_KEY) or correlation.correlation_id()
            with correlation.bind(name):
                answer = _unexpected(error)
                answer.headers[correlation.HEADER] = name
            if not started:  # else the server cuts the connection: half an answer is none
                await answer(scope, receive, send)
                scope[ANSWERED] = True
            raise


def log_unexpected(error: Exception) -> None:
    """What only the log is told, under the request's id."""
    _log.error("unexpected", error=type(error).__name__, exc_info=error)


def _unexpected(error: Exception) -> JSONResponse:
    if isinstance(error, UNAVAILABLE):
        _log.warning("database unavailable", exc_info=error)
        again = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return response(Problem(503, "This can't be done now; try again.", headers=again))
    log_unexpected(error)
    return response(Problem(500, "Something went wrong here, not with the request."))


def _mistake(error: Mapping[str, Any]) -> dict[str, str]:
    """Where and why, without what was sent: an unknown member's name is the caller's own text."""
    where = [str(part) for part in error["loc"]]
    if error["type"] == "extra_forbidden":
        where.pop()
    why = error["msg"] if error["type"] in _STATIC else _WHY.get(error["type"], "is not valid")
    return {"where": ".".join(where), "why": why}


_STATIC = frozenset(
    {
        "missing", "enum", "literal_error", "string_type", "int_type", "bool_type", "dict_type",
        "list_type", "string_too_short", "string_too_long", "string_pattern_mismatch",
        "greater_than", "greater_than_equal", "less_than", "less_than_equal", "timezone_aware",
        "too_long", "too_short", "model_attributes_type", "value_error",
    }
)  # fmt: skip
"""Kinds of pydantic errors whose message comes from our models alone; others may quote."""
_WHY = {
    "extra_forbidden": "has a member that is not known",
    "json_invalid": "is not JSON",
    "int_parsing": "is not a whole number",
    "uuid_parsing": "is not a UUID",
    "datetime_from_date_parsing": "is not a time",
    "datetime_parsing": "is not a time",
    "datetime_type": "is not a time",
}
