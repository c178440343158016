"""What /userinfo makes of bad input: RFC 6750's errors with their challenge, never a 5xx."""

from typing import Any

import httpx
import pytest

from issuer.domain.authorization import Account
from issuer.usecases.create_account import create_account
from tests.support.issuer import a_code, a_session
from tests.support.issuer_api import WEB, Api, good
from tests.support.raw import get_raw

FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def token(api: Api) -> str:
    """An access token that opens /userinfo."""
    account = await create_account(
        api.people,
        username="alice",
        password="correct horse battery staple",
        name="Alice",
        actor="test",
        correlation_id="test",
    )
    assert isinstance(account, Account)
    code = await a_code(api.parts.families, WEB, a_session(account.subject))
    assert isinstance(code, str)
    text: str = good(await api.redeem(code))["access_token"]
    return text


def assert_refused(response: httpx.Response, status: int, error: str | None) -> None:
    """RFC 6750 section 3: the status, the code in body and challenge, and nothing to keep."""
    assert response.status_code == status, response.text
    assert response.json().get("error") == error
    challenge = response.headers["www-authenticate"]
    assert challenge.startswith("Bearer ")
    assert (f'error="{error}"' in challenge) == (error is not None)
    assert response.headers["cache-control"] == "no-store"


async def test_one_token_in_header_or_form_opens(api: Api, token: str) -> None:
    """RFC 6750 sections 2.1 and 2.2: the two ways are the same, whatever else is in the query."""
    bearer = {"authorization": f"Bearer {token}"}
    in_header = good(await api.http.get("/userinfo?_=1", headers=bearer))
    in_form = good(await api.http.post("/userinfo", data={"access_token": token}))
    assert in_header == in_form
    assert in_header["sub"]


def two_ways(token: str) -> dict[str, dict[str, Any]]:
    """The same good token in two places at once."""
    bearer = {"authorization": f"Bearer {token}"}
    return {
        "two headers": {"method": "GET", "headers": [*bearer.items(), *bearer.items()]},
        "header and query": {"method": "GET", "headers": bearer, "params": {"access_token": token}},
        "header and form": {"method": "POST", "headers": bearer, "data": {"access_token": token}},
        "form and query": {
            "method": "POST",
            "params": {"access_token": token},
            "data": {"access_token": token},
        },
        "twice in the form": {
            "method": "POST",
            "headers": FORM,
            "content": f"access_token={token}&access_token={token}",
        },
        "twice in the query": {
            "method": "GET",
            "headers": bearer,
            "params": [("access_token", token)] * 2,
        },
    }


@pytest.mark.parametrize("way", two_ways(""))
async def test_a_token_in_two_places_is_an_invalid_request(api: Api, token: str, way: str) -> None:
    """RFC 6750 section 3.1: more than one method, or a repeated parameter, whatever it holds."""
    response = await api.http.request(url="/userinfo", **two_ways(token)[way])
    assert_refused(response, 400, "invalid_request")
    assert token not in response.text


async def test_a_token_in_the_query_alone_opens_nothing(api: Api, token: str) -> None:
    """RFC 6750 section 2.3 is not supported: no token was presented, so no code is told."""
    response = await api.http.get("/userinfo", params={"access_token": token})
    assert_refused(response, 401, None)


MALFORMED = {
    "20,000 parameters": b"&".join(b"a%d=1" % n for n in range(20_000)),
    "20,000 equal parameters": b"&".join([b"a"] * 20_000),
    "oversize": b"access_token=" + b"a" * 70_000,
    "a NUL": b"access_token=a%00b",
    "invalid UTF-8": b"access_token=%C3%28",
    "a lone percent": b"access_token=%",
}


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED.keys())
async def test_malformed_forms_and_queries_are_invalid_requests(api: Api, raw: bytes) -> None:
    """What can't be read is told as such, in a form as in a query."""
    assert_refused(
        await api.http.post("/userinfo", content=raw, headers=FORM), 400, "invalid_request"
    )
    in_query = await get_raw(api.app, "/userinfo", raw, {"authorization": "Bearer abc"})
    assert_refused(in_query, 400, "invalid_request")


@pytest.mark.parametrize(
    ("authorization", "status", "error"),
    [
        ("Bearer", 400, "invalid_request"),
        ("Bearer a b", 400, "invalid_request"),
        ("Bearer \xff\xfe", 400, "invalid_request"),
        ("Bearer abc", 401, "invalid_token"),
        ("Bearer " + "a" * 60_000, 401, "invalid_token"),
        ("Bearer eyJhbGciOiJub25lIn0.e30.", 401, "invalid_token"),
        ("Basic d2ViOnM=", 401, None),
        ("", 401, None),
    ],
    ids=lambda each: str(each)[:20],
)
async def test_malformed_headers_are_refused(
    api: Api, authorization: str, status: int, error: str | None
) -> None:
    """No header, whatever its bytes, is more than the RFC's error."""
    headers = {b"authorization": authorization.encode("latin-1")}
    assert_refused(await api.http.get("/userinfo", headers=headers), status, error)


async def test_a_body_without_end_is_given_up(api: Api) -> None:
    """A form that is longer than any request of ours is refused before it is read."""
    body = b"access_token=" + b"a" * 3_000_000
    response = await api.http.post("/userinfo", content=body, headers=FORM)
    assert response.status_code in {400, 413}
