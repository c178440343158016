"""Whatever is sent: the RFC's error, never a 5xx, and nothing of it in the answer."""

from typing import Any

import httpx
import pytest

from tests.support.issuer_api import SECRET, Api, error
from tests.support.raw import get_raw

FORM = "application/x-www-form-urlencoded"
CREDENTIALS = b"client_id=web&client_secret=the+secret+of+web"
ENDPOINTS = ["/token", "/revoke", "/introspect"]
MALFORMED = {
    "a parameter twice": CREDENTIALS + b"&token=a&token=a",
    "an empty parameter twice": CREDENTIALS + b"&token=&token=",
    "a NUL": CREDENTIALS + b"&token=a%00b",
    "a raw NUL": CREDENTIALS + b"&token=a\x00b",
    "invalid UTF-8": CREDENTIALS + b"&token=%C3%28",
    "raw invalid UTF-8": CREDENTIALS + b"&token=\xff\xfe",
    "a surrogate": CREDENTIALS + b"&token=%ED%A0%80",
    "a lone percent": CREDENTIALS + b"&token=%",
    "half an escape": CREDENTIALS + b"&token=%4",
    "an escape that is none": CREDENTIALS + b"&token=%zz",
    "20,000 parameters": CREDENTIALS + b"".join(b"&a%d=1" % n for n in range(20_000)),
    "20,000 equal parameters": b"&".join([b"a"] * 20_000),
    "101 parameters": CREDENTIALS + b"".join(b"&a%d=1" % n for n in range(101)),
    "oversize": CREDENTIALS + b"&token=" + b"a" * 70_000,
    "far oversize": CREDENTIALS + b"&token=" + b"a" * 3_000_000,
}


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_malformed_form_is_an_invalid_request(api: Api, path: str, body: bytes) -> None:
    """Every malformed form gets 400 `invalid_request`."""
    response = await api.http.post(path, content=body, headers={"content-type": FORM})
    assert error(response) == (400, "invalid_request")


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize(
    "content_type",
    ["application/json", "multipart/form-data; boundary=x", "text/plain", "", "a" * 5000],
)
async def test_another_content_type_is_an_invalid_request(
    api: Api, path: str, content_type: str
) -> None:
    """Only forms are read."""
    headers = {"content-type": content_type} if content_type else {}
    response = await api.http.post(path, content=CREDENTIALS, headers=headers)
    assert error(response) == (400, "invalid_request")


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_a_charset_parameter_is_no_other_content_type(api: Api, path: str) -> None:
    """`; charset=UTF-8` behind the media type changes nothing, in any case of letters."""
    headers = {"content-type": "Application/X-WWW-Form-Urlencoded; charset=UTF-8"}
    response = await api.http.post(path, content=CREDENTIALS, headers=headers)
    assert error(response) == (400, "invalid_request")
    assert "missing" in response.json()["error_description"]


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize(
    "authorization",
    [
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic d2Vi",
        "Basic d2ViOiU=",
        "Basic " + "A" * 5000,
        "Basic dwBlOnM=",
        "Bearer abc",
        "Negotiate",
        "\xff\xfe",
        " ",
    ],
)
async def test_malformed_credentials_are_an_invalid_client(
    api: Api, path: str, authorization: str
) -> None:
    """An Authorization header that proves nothing gets 401 and a challenge, whatever it holds."""
    response = await api.http.post(
        path,
        data={"grant_type": "refresh_token", "token": "x"},
        headers={b"authorization": authorization.encode("latin-1")},
    )
    assert error(response) == (401, "invalid_client")
    assert response.headers["www-authenticate"].startswith("Basic ")


TWO_WAYS: dict[str, dict[str, Any]] = {
    "header and form": {
        "auth": ("web", SECRET),
        "data": {"client_id": "web", "client_secret": SECRET},
    },
    "header and form without id": {"auth": ("web", SECRET), "data": {"client_secret": SECRET}},
    "header and assertion": {"auth": ("web", SECRET), "data": {"client_assertion": "a.b.c"}},
    "secret and assertion": {
        "data": {"client_id": "web", "client_secret": SECRET, "client_assertion": "a.b.c"}
    },
    "another client's id": {"auth": ("web", SECRET), "data": {"client_id": "other"}},
    "two headers": {
        "headers": [("authorization", "Basic d2ViOnM="), ("authorization", "Basic d2ViOnM=")],
        "data": {"token": "x"},
    },
}


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("sent", TWO_WAYS.values(), ids=TWO_WAYS.keys())
async def test_two_ways_at_once_are_an_invalid_request(
    api: Api, path: str, sent: dict[str, Any]
) -> None:
    """A client authenticates in one way, even if both would be right."""
    response = await api.http.post(path, **sent)
    assert error(response) == (400, "invalid_request")


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
async def test_only_post_is_allowed(api: Api, path: str, method: str) -> None:
    """Other methods get 405 with what is allowed."""
    response = await api.http.request(method, path)
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "value",
    [
        "'; DROP TABLE client; --",
        "<script>alert(1)</script>",
        "\u202e",
        "a" * 60_000,
        "\ud7ff\U0010ffff",
        "../../etc/passwd",
        "{{7*7}}",
        "%s%n",
        "rvc_rt_k1.x.y.z",
        "rvc_rt_" + "a" * 190,
        "rvc_rt_k1." + "0" * 32 + ".99999999999." + "A" * 43,
        "rvc_rt_k1." + "0" * 32 + ".2147483648." + "A" * 43,
        "rvc_rt_k1." + "0" * 32 + ".999999999." + "A" * 43,
        "eyJhbGciOiJub25lIn0.e30.",
        "eyJhbGciOiJFUzI1NiIsImtpZCI6WzFdfQ.e30.AAAA",
        "eyJhbGciOiJFUzI1NiIsImtpZCI6IngifQ.e30.AAAA",
        "." * 1000,
        "é.é.é",
    ],
)
async def test_odd_values_are_refused_and_not_repeated(api: Api, value: str) -> None:
    """Any text may stand in any parameter: it is refused in words that do not repeat it."""
    answers: list[httpx.Response] = []
    answers.append(await api.token("authorization_code", code=value))
    answers.append(await api.token("refresh_token", refresh_token=value))
    answers.append(await api.token(value))
    answers.append(await api.token("refresh_token", refresh_token="x", scope=value))
    answers.append(await api.token("authorization_code", code="x", redirect_uri=value))
    answers.append(await api.token("authorization_code", code="x", code_verifier=value))
    answers.append(await api.token("refresh_token", refresh_token="x", resource=value))
    answers.append(await api.post("/token", {"client_id": value, "client_secret": value}))
    for response in answers:
        assert response.status_code in {400, 401}, response.text
        assert value not in response.text
    assert (await api.post("/revoke", {"token": value}, auth=("web", SECRET))).status_code == 200
    assert await api.introspect(value) == {"active": False}


MANY = [b"&".join(b"a%d=1" % n for n in range(20_000)), b"&".join([b"a"] * 20_000)]
READ_A_FORM = [*ENDPOINTS, "/authorize", "/sign-in", "/consent", "/logout", "/userinfo"]
READ_A_QUERY = ["/authorize", "/logout", "/userinfo"]


@pytest.mark.parametrize("many", MANY, ids=["different", "equal"])
async def test_20_000_parameters_are_refused_by_every_endpoint(api: Api, many: bytes) -> None:
    """Every endpoint that reads a form or a query refuses too many parameters with 400."""
    for path in READ_A_FORM:
        response = await api.http.post(path, content=many, headers={"content-type": FORM})
        assert response.status_code == 400, path
    for path in READ_A_QUERY:
        response = await get_raw(api.app, path, many)
        assert response.status_code == 400, path


async def test_unknown_paths_are_problems(api: Api) -> None:
    """A path that is none is told as RFC 9457 has it."""
    response = await api.http.get("/nothing")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
