import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from servicekit.bounded_protocol import LONGEST_HEAD, LONGEST_REQUEST, LONGEST_TARGET, MOST_HEADERS
from tests.support.deadlines import until

SERVER = """
import asyncio, sys
from fastapi import FastAPI, Request
from servicekit import correlation, logs, problems, serve
logs.configure("example", "INFO")
app = FastAPI()
app.add_middleware(correlation.CorrelationMiddleware)
problems.install(app)
app.add_api_route("/", lambda: "fine")
@app.get("/broken")
async def broken():
    raise RuntimeError("broken")
@app.get("/slow")
async def slow():
    print("slow began", flush=True)
    await asyncio.sleep(0.5)
    return "slow"
@app.post("/")
async def read(request: Request):
    async for _ in request.stream():
        pass
    return "read"
serve.run(app, host="127.0.0.1", port=int(sys.argv[1]), drain_seconds=5)
"""


class Server:
    """A process that serves; its log is a file."""

    def __init__(self, log: Path) -> None:
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SERVER, "0"], stdout=out, stderr=subprocess.STDOUT
            )
        self.port = 0

    def lines(self) -> list[str]:
        return self.log.read_text().splitlines()

    def told(self, text: str) -> list[str]:
        return [line for line in self.lines() if text in line]

    async def ready(self) -> None:
        await until(lambda: bool(self.told("running on")), seconds=60)
        found = self.told("running on")
        self.port = int(json.loads(found[0])["event"].split("127.0.0.1:")[1].split(" ")[0])

    async def send(self, request: bytes) -> bytes:
        """What is answered until the server closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            async with asyncio.timeout(20):
                writer.write(request)
                return await reader.read()
        finally:
            writer.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path / "log")
    yield made
    if made.process.poll() is None:
        made.process.kill()
    made.process.wait()


def get(path: bytes, headers: bytes = b"") -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\nhost: a\r\nconnection: close\r\n" + headers + b"\r\n"


async def test_requests_have_bounds(server: Server) -> None:
    """Target, headers and the whole request are limited on the wire, and the server goes on."""
    await server.ready()
    answers = {
        "long target": await server.send(get(b"/" + b"a" * LONGEST_TARGET)),
        "long header": await server.send(get(b"/", b"a: " + b"b" * LONGEST_HEAD + b"\r\n")),
        "endless header": await server.send(b"GET / HTTP/1.1\r\na: " + b"b" * (LONGEST_HEAD + 100)),
        "many headers": await server.send(get(b"/", b"a: b\r\n" * MOST_HEADERS)),
        "not HTTP": await server.send(b"\x16\x03\x01 hello\r\n\r\n"),
    }
    fine = await server.send(get(b"/?" + b"a" * 1000, b"a: b\r\n" * 50))
    status = {name: answer.split(b"\r\n")[0].split(b" ")[1] for name, answer in answers.items()}
    assert status == {
        "long target": b"414",
        "long header": b"431",
        "endless header": b"431",
        "many headers": b"431",
        "not HTTP": b"400",
    }
    assert fine.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nserver:" not in fine.lower()


async def test_a_request_of_tiny_chunks_ends(server: Server) -> None:
    """Chunks of one byte cost us six on the wire; the whole is bounded as it arrives."""
    await server.ready()
    head = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
    chunks = b"1\r\na\r\n" * (LONGEST_REQUEST // 6 + 100_000)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    async with asyncio.timeout(20):
        try:
            writer.write(head + chunks)
            await writer.drain()
            answer = await reader.read()
        except ConnectionError:
            answer = b""
    writer.close()
    assert b"200" not in answer.split(b"\r\n")[0]
    assert (await server.send(get(b"/"))).startswith(b"HTTP/1.1 200 ")


async def test_what_breaks_is_logged_once(server: Server) -> None:
    """One line with the correlation id; the server does not tell it again."""
    await server.ready()
    answer = await server.send(get(b"/broken", b"x-request-id: here\r\n"))
    assert answer.startswith(b"HTTP/1.1 500 ")
    told = [json.loads(each) for each in server.lines() if "exception" in each]
    assert [(each["event"], each["correlation_id"]) for each in told] == [("unexpected", "here")]


async def test_requests_under_way_are_drained(server: Server) -> None:
    """SIGTERM ends the process only after what was begun is answered."""
    await server.ready()
    asked = asyncio.ensure_future(server.send(get(b"/slow")))
    await until(lambda: bool(server.told("slow began")))
    os.kill(server.process.pid, signal.SIGTERM)
    assert (await asked).startswith(b"HTTP/1.1 200 ")
    assert await asyncio.to_thread(server.process.wait, 20) == -signal.SIGTERM


async def test_ctrl_c_ends_without_a_traceback(server: Server) -> None:
    """SIGINT drains and exits with 0; every line of the log is JSON."""
    await server.ready()
    os.kill(server.process.pid, signal.SIGINT)
    assert await asyncio.to_thread(server.process.wait, 20) == 0
    assert all(json.loads(line)["service"] == "example" for line in server.lines())


async def test_a_port_in_use_is_told_and_fails(server: Server) -> None:
    """What can't listen says so and exits as failed."""
    await server.ready()
    second = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, str(server.port), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await asyncio.wait_for(second.communicate(), 30)
    assert second.returncode not in (0, None)
    assert b"address already in use" in said
