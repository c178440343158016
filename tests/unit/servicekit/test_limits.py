import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request
from pydantic import BaseModel
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from servicekit.correlation import CorrelationMiddleware
from servicekit.limits import BodyLimit
from servicekit.problems import install

LONGEST = 100


class Body(BaseModel):
    """A JSON body."""

    text: str


def app() -> FastAPI:
    made = FastAPI()
    made.add_middleware(BodyLimit, longest=LONGEST)
    made.add_middleware(CorrelationMiddleware)
    install(made)

    @made.post("/raw")
    async def raw(request: Request) -> int:
        return len(await request.body())

    @made.post("/json")
    async def parsed(body: Body) -> str:
        return body.text

    return made


def client(served: ASGIApp) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=served)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


async def trickle(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * 10


@pytest.mark.parametrize("path", ["/raw", "/json", "/nowhere"])
async def test_a_body_that_says_it_is_too_long_is_refused(path: str) -> None:
    """413, as a problem with the correlation id, whatever stands behind."""
    async with client(app()) as http:
        answer = await http.post(path, content=b"x" * (LONGEST + 1), headers={"X-Request-Id": "a"})
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["connection"] == "close"
    assert (answer.json()["status"], answer.json()["correlation_id"]) == (413, "a")


@pytest.mark.parametrize("path", ["/raw", "/json"])
async def test_a_body_that_grows_too_long_is_refused(path: str) -> None:
    """413 too where nobody said a length, also where the framework reads the body."""
    async with client(app()) as http:
        answer = await http.post(path, content=trickle(11))
    assert answer.status_code == 413
    assert answer.json()["detail"] == "The request is too large."


async def test_a_body_of_the_limit_is_read() -> None:
    """The bound itself is allowed."""
    async with client(app()) as http:
        assert (await http.post("/raw", content=b"x" * LONGEST)).json() == LONGEST
        assert (await http.post("/raw", content=trickle(10))).json() == LONGEST


@pytest.mark.parametrize("length", ["9" * 30, "9" * 5000])
async def test_an_absurd_length_is_refused(length: str) -> None:
    """A length that no number type holds is too long, not an error."""
    async with client(app()) as http:
        answer = await http.post("/raw", headers={"Content-Length": length})
    assert answer.status_code == 413


async def test_an_app_that_catches_everything_still_answers_413() -> None:
    """The refusal replaces whatever an app makes of it, once."""

    async def careless(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            while (await receive())["more_body"]:
                pass
        except Exception:  # noqa: BLE001 - this is the app that we do not want
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"fine"})

    async with client(BodyLimit(careless, longest=LONGEST)) as http:
        answer = await http.post("/", content=trickle(11))
    assert answer.status_code == 413


async def test_an_app_that_catches_nothing_still_answers_413() -> None:
    """Without a framework the refusal is answered by the limit itself."""

    async def bare(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["more_body"]:
            pass

    async with client(BodyLimit(bare, longest=LONGEST)) as http:
        assert (await http.post("/", content=trickle(11))).status_code == 413


async def test_a_body_that_trickles_is_cut_off() -> None:
    """408 when a body does not arrive in its time."""
    sent: list[Message] = []

    async def never() -> Message:
        await asyncio.Event().wait()
        return {}

    async def send(message: Message) -> None:
        sent.append(message)

    async def bare(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

    await BodyLimit(bare, seconds=0.02)({"type": "http", "headers": []}, never, send)
    assert sent[0]["status"] == 408


async def test_waiting_for_a_caller_to_leave_has_no_end() -> None:
    """Once a body is whole, its time is over: streams listen for a disconnect for long."""
    messages = iter([{"type": "http.request", "body": b"", "more_body": False}])
    left = asyncio.Event()

    async def receive() -> Message:
        for message in messages:
            return message
        await left.wait()
        return {"type": "http.disconnect"}

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        asyncio.get_running_loop().call_later(0.05, left.set)
        assert (await receive())["type"] == "http.disconnect"

    async def send(message: Message) -> None:
        raise AssertionError(message)

    await BodyLimit(stream, seconds=0.01)({"type": "http", "headers": []}, receive, send)
