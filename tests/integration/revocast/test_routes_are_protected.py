from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from examples.sample_api.app import make_app
from fastapi import Depends, FastAPI

from revocast import Claims, Guard
from revocast.asgi import CLAIMS, GuardMiddleware
from revocast.fastapi import requires
from revocast_contracts.selectors import SelectorKind
from tests.integration.revocast.support import IssuerServer, until
from tests.unit.revocast.support import AUDIENCE, HandClock, HandFeed, entry, members, sign

Kit = tuple[httpx.AsyncClient, HandFeed, HandClock]


async def greet(scope: Any, receive: Any, send: Any) -> None:
    """The smallest application: says who called, if it knows."""
    assert scope["type"] == "http"
    caller = scope.get(CLAIMS)
    body = b"nobody" if caller is None else caller.sub.encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(params=["fastapi", "asgi"])
async def kit(request: pytest.FixtureRequest, issuer: IssuerServer) -> AsyncIterator[Kit]:
    """The same guard before a FastAPI route and before a bare application."""
    clock = HandClock()
    feed = HandFeed(clock.clock())
    guard = Guard(issuer=issuer.url, audience=AUDIENCE, feed=feed, clock=clock.clock())
    app: Any = make_app(guard)
    if request.param == "asgi":
        app = GuardMiddleware(greet, guard, scopes=["orders.read"], unprotected=["/public"])
    async with guard:
        await until(lambda: guard._keys.trouble() is None)
        feed.be_fresh()
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            yield client, feed, clock


def bearer(issuer: IssuerServer, clock: HandClock, **changes: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {sign(members(clock.wall, iss=issuer.url, **changes))}"}


async def test_a_good_token_gets_the_answer(kit: Kit, issuer: IssuerServer) -> None:
    """And the application knows who asked."""
    client, _, clock = kit
    answer = await client.get("/orders", headers=bearer(issuer, clock))
    assert answer.status_code == 200
    assert "person-1" in answer.text


async def test_an_unprotected_path_needs_no_token(kit: Kit) -> None:
    """Protection is per route, or all but the paths that are named."""
    client, _, _ = kit
    assert (await client.get("/public")).status_code == 200


async def test_no_token_is_challenged_without_an_error(kit: Kit) -> None:
    """RFC 6750 section 3.1: no error code where no token was sent; the header only."""
    client, _, _ = kit
    asked: tuple[dict[str, Any], ...] = (
        {"headers": {}},
        {"headers": {"Authorization": "Basic YTpi"}},
        {"params": {"access_token": "x"}},
    )
    for how in asked:
        answer = await client.get("/orders", **how)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == (
            f'Bearer realm="{AUDIENCE}", scope="orders.read"'
        )


async def test_a_revoked_token_is_told_as_the_rfc_says(kit: Kit, issuer: IssuerServer) -> None:
    """401 invalid_token, with nothing about the entry."""
    client, feed, clock = kit
    feed.say(entry(SelectorKind.SESSION, "session-1", expires_at=clock.wall + 60))
    answer = await client.get("/orders", headers=bearer(issuer, clock))
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert "entry-1" not in answer.text + str(answer.headers)


async def test_a_missing_scope_is_told_as_the_rfc_says(kit: Kit, issuer: IssuerServer) -> None:
    """403 insufficient_scope, naming the scope."""
    client, _, clock = kit
    answer = await client.get("/orders", headers=bearer(issuer, clock, scope="other"))
    assert answer.status_code == 403
    challenge = answer.headers["WWW-Authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="orders.read"' in challenge


async def test_a_doubled_header_is_a_bad_request(kit: Kit, issuer: IssuerServer) -> None:
    """400 invalid_request, even if both tokens are good."""
    client, _, clock = kit
    good = bearer(issuer, clock)["Authorization"]
    answer = await client.get("/orders", headers=[("Authorization", good)] * 2)
    assert answer.status_code == 400
    assert 'error="invalid_request"' in answer.headers["WWW-Authenticate"]


async def test_a_guard_that_cannot_know_answers_503(kit: Kit, issuer: IssuerServer) -> None:
    """With Retry-After and without a challenge: another token would not help."""
    client, _, clock = kit
    clock.pass_(100)
    answer = await client.get("/orders", headers=bearer(issuer, clock))
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "WWW-Authenticate" not in answer.headers


async def test_the_sample_tells_its_health(issuer: IssuerServer) -> None:
    """Live at once; ready only once the guard is."""
    clock = HandClock()
    feed = HandFeed(clock.clock())
    guard = Guard(issuer=issuer.url, audience=AUDIENCE, feed=feed, clock=clock.clock())
    app = make_app(guard)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api") as client,
    ):
        assert feed.running
        assert (await client.get("/livez")).status_code == 200
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["why"] == guard.trouble()
        await until(lambda: guard._keys.trouble() is None)
        feed.be_fresh()
        assert (await client.get("/readyz")).status_code == 200
    assert not feed.running


async def test_routes_say_in_openapi_that_they_are_protected(issuer: IssuerServer) -> None:
    """The generated document names the bearer scheme for exactly the protected routes."""
    guard = Guard(issuer=issuer.url, audience=AUDIENCE, feed=HandFeed(HandClock().clock()))
    paths = make_app(guard).openapi()["paths"]
    assert paths["/orders"]["get"]["security"] == [{"Bearer": []}]
    assert "security" not in paths["/public"]["get"]


async def test_a_websocket_is_closed_without_a_token(issuer: IssuerServer) -> None:
    """RFC 6455: the middleware refuses the handshake; the application never sees it."""
    guard = Guard(issuer=issuer.url, audience=AUDIENCE, feed=HandFeed(HandClock().clock()))
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    await GuardMiddleware(greet, guard)(
        {"type": "websocket", "path": "/", "headers": []}, receive, send
    )
    assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_the_middleware_runs_the_guard_with_the_application(issuer: IssuerServer) -> None:
    """From before the application's start-up until after its shutdown."""
    feed = HandFeed(HandClock().clock())
    guard = Guard(issuer=issuer.url, audience=AUDIENCE, feed=feed)
    seen: list[bool] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(feed.running)

    await GuardMiddleware(app, guard)({"type": "lifespan"}, None, None)  # type: ignore[arg-type]  # not called
    assert seen == [True]
    assert not feed.running


async def test_two_guards_may_protect_one_application(issuer: IssuerServer) -> None:
    """Each route is judged by its own guard and scopes."""
    clock = HandClock()
    feed = HandFeed(clock.clock())
    guard = Guard(issuer=issuer.url, audience=AUDIENCE, feed=feed, clock=clock.clock())
    other = Guard(issuer=issuer.url, audience="other", feed=feed, clock=clock.clock())
    app = FastAPI()

    @app.get("/one")
    async def one(caller: Annotated[Claims, Depends(requires(guard))]) -> str:
        return caller.sub

    @app.get("/two")
    async def two(caller: Annotated[Claims, Depends(requires(other))]) -> str:
        return caller.sub

    feed.be_fresh()
    transport = httpx.ASGITransport(app=app)
    async with (
        guard,
        other,
        httpx.AsyncClient(transport=transport, base_url="http://api") as client,
    ):
        headers = bearer(issuer, clock)
        assert (await client.get("/one", headers=headers)).status_code == 200
        assert (await client.get("/two", headers=headers)).status_code == 401
