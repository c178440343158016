from dataclasses import replace
from urllib.parse import urlencode

import pytest

from issuer.domain.client import GrantType
from tests.support.issuer import REDIRECT_URI
from tests.support.issuer_pages import (
    ASKING,
    ISSUER,
    REQUEST,
    Issuer,
    Visitor,
    add_client,
)
from tests.support.raw import get_raw

RETURNED: list[tuple[dict[str, str | None], str]] = [
    ({"response_type": None}, "invalid_request"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"scope": "none.such"}, "invalid_scope"),
    ({"resource": "https://elsewhere.example"}, "invalid_target"),
    ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"request": "e30.e30."}, "request_not_supported"),
    ({"request_uri": "https://client.example/r"}, "request_uri_not_supported"),
    ({"prompt": "none"}, "login_required"),
    ({"prompt": "none consent"}, "invalid_request"),
    ({"max_age": "x"}, "invalid_request"),
    ({"id_token_hint": "not.an.id-token"}, "invalid_request"),
]


async def test_errors_go_back_with_state_and_issuer(alice: Visitor) -> None:
    """RFC 6749 section 4.1.2.1 and RFC 9207: `error`, `state` and `iss`."""
    for changes, error in RETURNED:
        await alice.authorize(**changes)
        back = alice.returned
        assert (back["error"], back["state"], back["iss"]) == (error, "the state", ISSUER), changes
        assert back["error_description"].isascii()
        assert "code" not in back


async def test_a_client_without_the_grant(issuer: Issuer, alice: Visitor) -> None:
    """RFC 6749 section 4.1.2.1: unauthorized_client."""
    grants = frozenset({GrantType.CLIENT_CREDENTIALS})
    await add_client(issuer, replace(ASKING, client_id="machine", grants=grants))
    await alice.authorize(client_id="machine")
    assert alice.returned["error"] == "unauthorized_client"


async def test_a_repeated_parameter_goes_back(alice: Visitor) -> None:
    """RFC 6749 section 3.1, with the redirect URI itself beyond doubt."""
    await alice.open(f"/authorize?{urlencode(REQUEST)}&scope=openid")
    assert alice.returned["error"] == "invalid_request"


UNTRUSTED: list[dict[str, str | None]] = [
    {"client_id": "unknown"},
    {"client_id": None},
    {"redirect_uri": "https://evil.example/"},
    {"redirect_uri": f"{REDIRECT_URI}/../evil"},
    {"redirect_uri": f"{REDIRECT_URI}@evil.example"},
    {"redirect_uri": "//evil.example"},
    {"redirect_uri": "https:evil.example"},
    {"redirect_uri": "javascript:alert(1)"},
    {"redirect_uri": "data:text/html,x"},
    {"redirect_uri": "\\\\evil.example"},
]


@pytest.mark.parametrize("extra", [{}, {"prompt": "none"}, {"response_type": "x"}])
async def test_there_is_no_open_redirect(alice: Visitor, extra: dict[str, str]) -> None:
    """What is wrong with the client or the redirect URI is a page, whatever else is wrong."""
    for changes in UNTRUSTED:
        response = await alice.authorize(**{**changes, **extra})
        assert response.status_code == 400, changes
        assert "location" not in response.headers
        assert "evil" not in response.text


MANY = b"&".join(b"p%d=1" % n for n in range(20_000))
MALFORMED = [
    b"%",
    b"a=%zz",
    b"a=%00",
    b"a=%ff%fe",
    b"client_id=%c3%28",
    b"state=%00&" + urlencode(REQUEST).encode(),
    MANY,
    b"a" * 70_000,
    b"client_id=web&client_id=web",
    b"redirect_uri=a&redirect_uri=b&client_id=web",
    b"",
]


async def test_malformed_queries_are_a_page(issuer: Issuer) -> None:
    """Broken bytes in a query get a clean 400 page."""
    for raw in MALFORMED:
        response = await get_raw(issuer.app, "/authorize", raw)
        assert response.status_code == 400, raw[:50]
        assert "can’t be answered" in response.text


MALFORMED_FORMS = [
    b"request=%", b"request=%00", b"request=%ff", b"x" * 70_000, MANY,
    b"request=a&request=a", b"decision=allow&decision=deny", b"state=a&state=",
]  # fmt: skip

FORM = {"content-type": "application/x-www-form-urlencoded"}


async def test_malformed_forms_are_a_page(alice: Visitor) -> None:
    """Broken bytes in a form get a clean 400 page, whichever form it claims to be."""
    for raw in MALFORMED:
        response = await alice.http.post("/authorize", content=raw, headers=FORM)
        assert response.status_code == 400, raw[:50]
        assert "can’t be answered" in response.text
    for path in ("/sign-in", "/consent", "/logout"):
        for raw in MALFORMED_FORMS:
            response = await alice.http.post(path, content=raw, headers=FORM)
            assert response.status_code == 400, (path, raw[:50])
            assert response.headers["content-type"].startswith("text/html")


async def test_a_malformed_query_signs_nobody_out(issuer: Issuer) -> None:
    """What no form may be, the query of a sign-out may not be either."""
    for raw in MALFORMED_FORMS:
        response = await get_raw(issuer.app, "/logout", raw)
        assert response.status_code == 400, raw[:50]
        assert "can’t be answered" in response.text


async def test_other_content_types_are_a_page(alice: Visitor) -> None:
    """Only a form is a form."""
    for path in ("/authorize", "/sign-in", "/consent", "/logout"):
        for content_type in ("application/json", "multipart/form-data", ""):
            headers = {"content-type": content_type}
            response = await alice.http.post(path, content=b"{}", headers=headers)
            assert response.status_code == 400, (path, content_type)
            assert response.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/sign-in", "/consent"])
async def test_a_form_that_is_opened_by_hand(alice: Visitor, path: str) -> None:
    """Somebody who reloads a form's address gets a page that says where to go."""
    response = await alice.http.get(path)
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert "start again" in response.text


async def test_the_page_names_the_request(alice: Visitor) -> None:
    """The reference on the page is the correlation id that the logs carry."""
    response = await alice.http.get("/authorize", headers={"x-request-id": "ref-1"})
    assert "ref-1" in response.text


PAGES = [
    ("/authorize", {}),
    ("/authorize", {"client_id": "unknown"}),
    ("/logout", {}),
    ("/sign-in", {}),
]


@pytest.mark.parametrize(("path", "changes"), PAGES)
async def test_every_page_is_protected(
    alice: Visitor, path: str, changes: dict[str, str | None]
) -> None:
    """No page may be framed, scripted, cached, sniffed, or leak where it came from."""
    response = await alice.open(path, **{**REQUEST, **changes})
    policy = dict(
        each.strip().partition(" ")[::2]
        for each in response.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["base-uri"] == "'none'"
    assert policy["form-action"].split()[0] == "'self'"
    assert "unsafe" not in response.headers["content-security-policy"]
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-frame-options"] == "DENY"
    assert not {"script", "style", "iframe"} & set(alice.page.tags)
    assert "style=" not in response.text


async def test_the_form_may_lead_back_to_the_client_only(alice: Visitor) -> None:
    """Browsers hold the redirect after a form against form-action: ours and the client's origin."""
    response = await alice.authorize()
    policy = response.headers["content-security-policy"]
    assert "form-action 'self' https://client.example;" in policy


@pytest.mark.parametrize("name", ["pages.css", "mark.svg"])
async def test_assets_are_served(alice: Visitor, name: str) -> None:
    """What the pages refer to is there, and may be kept."""
    response = await alice.http.get(f"/assets/{name}")
    assert response.status_code == 200
    assert "immutable" in response.headers["cache-control"]


@pytest.mark.parametrize("name", ["none.css", "..%2frendering.py", "%2e%2e/rendering.py", ""])
async def test_nothing_else_is_served(alice: Visitor, name: str) -> None:
    """No path leads to another file."""
    assert (await alice.http.get(f"/assets/{name}")).status_code == 404
