"""Errors of the HTTP APIs as RFC 9457 problems; nothing unexpected tells more than that it was."""

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from servicekit.correlation import correlation_id

MEDIA_TYPE = "application/problem+json"
_log = structlog.get_logger()


class Problem(Exception):
    """What is wrong with a request, for the caller to read."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str | None = None,
        *,
        type_: str = "about:blank",
        headers: dict[str, str] | None = None,
        **extras: Any,
    ) -> None:
        super().__init__(detail or title)
        self.status = status
        self.headers = headers or {}
        self.members = {"type": type_, "title": title, "status": status, **extras}
        if detail is not None:
            self.members["detail"] = detail


def response(problem: Problem) -> JSONResponse:
    """A problem as an answer, with the correlation id to quote to an operator."""
    body = {**problem.members, "correlation_id": correlation_id()}
    return JSONResponse(body, problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let an app answer with problems."""

    @app.exception_handler(Problem)
    async def told(_: Request, problem: Problem) -> JSONResponse:
        return response(problem)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        errors = [
            {"where": ".".join(str(part) for part in each["loc"]), "why": each["msg"]}
            for each in error.errors()
        ]
        return response(Problem(422, "The request is not valid.", errors=errors))

    @app.exception_handler(HTTPException)
    async def plain(_: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers or {})
        return response(Problem(error.status_code, str(error.detail), headers=headers))

    @app.exception_handler(Exception)
    async def unexpected(_: Request, error: Exception) -> JSONResponse:
        _log.error("unexpected", error=type(error).__name__, exc_info=error)
        return response(Problem(500, "Something went wrong here, not with the request."))
