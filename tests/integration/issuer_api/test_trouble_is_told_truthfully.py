"""When we can't decide we say so: 503 and a time to wait, never a guess and never a stack trace."""

from collections.abc import AsyncIterator

import pytest
import structlog

from servicekit import correlation
from servicekit.postgres import create_pool
from tests.support.cable import Cable, cable
from tests.support.issuer_api import API_SECRET, SECRET, Api, api_on, error, good

AS_API = ("api", API_SECRET)


@pytest.fixture
async def cut_off(issuer_database: str, api: Api) -> AsyncIterator[tuple[Api, Cable]]:
    """Another process of the issuer, and the cable to its database."""
    async with cable(issuer_database) as laid:
        pool = await create_pool(laid.dsn, size=2, application_name="test")
        try:
            async with api_on(pool) as replica:
                await replica.parts.keyring.ensure("ES256", "RS256")
                yield replica, laid
        finally:
            pool.terminate()


@pytest.mark.parametrize("path", ["/token", "/revoke", "/introspect"])
async def test_a_database_that_is_away_is_a_503(cut_off: tuple[Api, Cable], path: str) -> None:
    """Without its database the issuer refuses for now, in OAuth's words."""
    api, laid = cut_off
    await laid.pull()
    form = {"grant_type": "refresh_token", "refresh_token": "x", "token": "x"}
    response = await api.post(path, form, auth=("web", SECRET))
    assert error(response) == (503, "temporarily_unavailable")
    assert int(response.headers["retry-after"]) >= 1


async def test_a_rotation_whose_outcome_is_unknown_is_a_503(
    cut_off: tuple[Api, Cable], api: Api
) -> None:
    """A refresh that nobody knows the outcome of is to be repeated, and repeating it is safe."""
    here, laid = cut_off
    token = (await here.tokens())["refresh_token"]
    await laid.pull()
    response = await here.token("refresh_token", refresh_token=token)
    assert error(response) == (503, "temporarily_unavailable")
    good(await api.token("refresh_token", refresh_token=token))


@pytest.mark.parametrize("path", ["/token", "/revoke", "/introspect"])
async def test_what_breaks_is_told_without_details(api: Api, path: str) -> None:
    """A failure nobody foresaw is 500 `server_error` and no more; the log has it by its id."""
    await api.pool.execute("ALTER TABLE client RENAME TO moved_away")
    form = {"grant_type": "refresh_token", "refresh_token": "x", "token": "x"}
    with structlog.testing.capture_logs([correlation.add_to_log]) as logged:
        response = await api.http.post(
            path, data=form, auth=("web", SECRET), headers={"X-Request-Id": "here"}
        )
    assert error(response) == (500, "server_error")
    assert response.json() == {
        "error": "server_error",
        "error_description": "The server met an unexpected condition.",
    }
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-request-id"] == "here"
    told = [(each["event"], each["error"], each["correlation_id"]) for each in logged]
    assert told == [("unexpected", "UndefinedTableError", "here")]


async def test_what_breaks_elsewhere_is_a_problem(api: Api) -> None:
    """Documents are no OAuth endpoints: what breaks there is told as RFC 9457 says."""
    await api.pool.execute("ALTER TABLE resource RENAME TO moved_away")
    response = await api.http.get("/.well-known/openid-configuration")
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "moved_away" not in response.text


async def test_introspection_says_when_it_may_not_have_heard(api: Api) -> None:
    """While the feed is stale nothing is called active; when it recovers, all is as before."""
    token = (await api.machine_token())["access_token"]
    api.feed.why = "revocations may be 31 s behind"
    response = await api.post("/introspect", {"token": token}, auth=AS_API)
    assert error(response) == (503, "temporarily_unavailable")
    assert int(response.headers["retry-after"]) >= 1
    api.feed.why = None
    assert (await api.introspect(token))["active"] is True


async def test_a_stale_feed_stops_no_issuance(api: Api) -> None:
    """Tokens are decided by the database: a broker that is away costs nobody a sign-in."""
    api.feed.why = "no watermark yet"
    tokens = await api.tokens()
    good(await api.token("refresh_token", refresh_token=tokens["refresh_token"]))
