import json

import asyncpg
import httpx
import pytest
import structlog
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict
from starlette.types import Receive, Scope, Send

from servicekit import correlation
from servicekit.correlation import CorrelationMiddleware
from servicekit.problems import MEDIA_TYPE, Problem, install

SECRET = "hunter2"


class Body(BaseModel):
    """A closed body."""

    model_config = ConfigDict(extra="forbid")

    number: int
    name: str = ""


def app(*, correlation_first: bool = True) -> FastAPI:
    made = FastAPI()
    if correlation_first:
        made.add_middleware(CorrelationMiddleware)
    install(made)
    if not correlation_first:
        made.add_middleware(CorrelationMiddleware)

    @made.get("/problem")
    async def problem() -> None:
        raise Problem(409, "Taken: choose another.", headers={"Retry-After": "1"}, member=7)

    @made.get("/broken")
    async def broken() -> None:
        raise RuntimeError("the inner workings")

    @made.get("/unavailable")
    async def unavailable() -> None:
        raise asyncpg.CannotConnectNowError("starting up")

    @made.get("/slow")
    async def slow() -> None:
        raise TimeoutError

    @made.post("/body")
    async def body(body: Body) -> None: ...

    return made


def client(served: FastAPI) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=served, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


async def test_a_problem_is_told_whole() -> None:
    """Type, title, status, detail, extras, headers and the id to quote (RFC 9457)."""
    async with client(app()) as http:
        answer = await http.get("/problem", headers={"X-Request-Id": "here"})
    assert answer.status_code == 409
    assert (answer.headers["content-type"], answer.headers["retry-after"]) == (MEDIA_TYPE, "1")
    assert answer.json() == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "Taken: choose another.",
        "member": 7,
        "correlation_id": "here",
    }


@pytest.mark.parametrize("correlation_first", [True, False])
async def test_the_unexpected_says_nothing(*, correlation_first: bool) -> None:
    """500 without detail; answer, header and log carry one id, in whatever order they were set."""
    with structlog.testing.capture_logs([correlation.add_to_log]) as logged:
        async with client(app(correlation_first=correlation_first)) as http:
            answer = await http.get("/broken", headers={"X-Request-Id": "here"})
    assert answer.status_code == 500
    assert "inner" not in answer.text
    assert (answer.json()["correlation_id"], answer.headers["x-request-id"]) == ("here", "here")
    assert [(each["event"], each["correlation_id"]) for each in logged] == [("unexpected", "here")]


@pytest.mark.parametrize("path", ["/unavailable", "/slow"])
async def test_a_database_that_is_away_is_503(path: str) -> None:
    """What may succeed soon is answered so, with a time to come back."""
    with structlog.testing.capture_logs() as logged:
        async with client(app()) as http:
            answer = await http.get(path)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert logged[0]["log_level"] == "warning"


@pytest.mark.parametrize(
    ("path", "method", "status"), [("/nowhere", "GET", 404), ("/problem", "DELETE", 405)]
)
async def test_unknown_paths_and_methods_are_problems(path: str, method: str, status: int) -> None:
    """404 and 405 come in the same form; 405 says what is allowed."""
    async with client(app()) as http:
        answer = await http.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, MEDIA_TYPE)
    assert (answer.headers.get("allow") == "GET") == (status == 405)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"number": SECRET}, {"where": "body.number", "why": "is not a whole number"}),
        ({"number": 1, SECRET: 1}, {"where": "body", "why": "has a member that is not known"}),
        ({}, {"where": "body.number", "why": "Field required"}),
        (f'{{"{SECRET}', {"where": "body.1", "why": "is not JSON"}),
    ],
)
async def test_an_invalid_body_is_not_repeated(
    body: dict[str, object] | str, expected: dict[str, str]
) -> None:
    """The caller learns where and why; its own text does not come back."""
    content = body if isinstance(body, str) else json.dumps(body)
    async with client(app()) as http:
        answer = await http.post(
            "/body", content=content, headers={"Content-Type": "application/json"}
        )
    assert answer.status_code == 422
    assert answer.json()["errors"] == [expected]
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "title", "detail"),
    [
        ("GET", "/nowhere", "Not Found", None),
        ("DELETE", "/problem", "Method Not Allowed", None),
        ("POST", "/body", "Unprocessable Content", "The request is not valid."),
        ("GET", "/unavailable", "Service Unavailable", "This can't be done now; try again."),
        (
            "GET",
            "/broken",
            "Internal Server Error",
            "Something went wrong here, not with the request.",
        ),
    ],
)
async def test_a_title_is_the_phrase_of_its_status(
    method: str, path: str, title: str, detail: str | None
) -> None:
    """RFC 9457 section 4.2.1: `about:blank` says no more than the status; the detail may."""
    with structlog.testing.capture_logs():
        async with client(app()) as http:
            told = (await http.request(method, path)).json()
    assert (told["type"], told["title"], told.get("detail")) == ("about:blank", title, detail)


async def test_only_the_first_mistakes_are_listed() -> None:
    """A body of a thousand mistakes gets a short answer."""
    wrong = {"number": 1} | {f"m{number}": 1 for number in range(1000)}
    async with client(app()) as http:
        answer = await http.post("/body", json=wrong)
    assert len(answer.json()["errors"]) == 20


async def test_half_an_answer_is_cut_off() -> None:
    """An exception after the answer started goes on to the server; nothing is appended."""
    made = FastAPI()
    install(made)

    async def half(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("in the middle")

    made.mount("/half", half)
    transport = httpx.ASGITransport(app=made)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        with structlog.testing.capture_logs(), pytest.raises(RuntimeError, match="in the middle"):
            await http.get("/half/")
