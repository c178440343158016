"""OAuth answers and errors as JSON; nothing of them may be kept by anybody (RFC 6749 section 5)."""

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from oauth.errors import InvalidRequest, OAuthError
from oauth.forms import MalformedError, parse_form
from servicekit import metrics

NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_log = structlog.get_logger()


def answer(body: dict[str, Any]) -> JSONResponse:
    """A successful answer."""
    return JSONResponse(body, headers=NOT_STORED)


async def read_form(request: Request) -> dict[str, str]:
    """The parameters of a POST.

    Raises:
        InvalidRequest: not a form, or a malformed one.
    """
    try:
        return parse_form(await request.body(), request.headers.get("content-type"))
    except MalformedError as error:
        raise InvalidRequest(why=f"The request is malformed: {error}.") from None


def required(form: dict[str, str], name: str) -> str:
    """A parameter that has to be there.

    Raises:
        InvalidRequest: it is not.
    """
    if name not in form:
        raise InvalidRequest(why=f"The parameter {name} is missing.")
    return form[name]


def install(app: FastAPI) -> None:
    """Let an app answer OAuth errors."""

    @app.exception_handler(OAuthError)
    async def refused(request: Request, error: OAuthError) -> JSONResponse:
        metrics.increment("revocast_tokens_refused_total", error=error.code)
        _log.info("refused", path=request.url.path, error=error.code, detail=error.detail)
        why = error.why if isinstance(error, InvalidRequest) else None
        body = {"error": error.code, "error_description": why or error.description}
        return JSONResponse(body, error.status, headers={**NOT_STORED, **error.headers})
