import asyncio

import httpx
import pytest
from fastapi import FastAPI

from servicekit.correlation import CorrelationMiddleware, bind, correlation_id


async def asked(*sent: str) -> tuple[str, str]:
    app = FastAPI()
    app.add_middleware(CorrelationMiddleware)
    app.add_api_route("/", correlation_id)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        answer = await http.get("/", headers=[("X-Request-Id", each) for each in sent])
    inside: str = answer.json()
    return inside, answer.headers["x-request-id"]


@pytest.mark.parametrize("sent", ["a", "A-b_c.1", "x" * 64])
async def test_a_well_formed_id_is_kept(sent: str) -> None:
    """The caller's id is the one inside and the one answered."""
    assert await asked(sent) == (sent, sent)


@pytest.mark.parametrize("sent", [(), ("",), ("x" * 65,), ("a b",), ("<b>",), ("a", "b")])
async def test_any_other_is_replaced(sent: tuple[str, ...]) -> None:
    """No id, a malformed one or two of them: a new one, the same inside and in the answer."""
    inside, answered = await asked(*sent)
    assert inside == answered
    assert inside not in sent
    assert len(inside) == 36


async def test_tasks_do_not_share_an_id() -> None:
    """What is bound in one task is not seen in another, and ends with its block."""

    async def bound(name: str) -> str:
        with bind(name):
            await asyncio.sleep(0)
            return correlation_id()

    one, other = await asyncio.gather(bound("one"), bound("other"))
    assert (one, other) == ("one", "other")
    assert correlation_id() != correlation_id()
