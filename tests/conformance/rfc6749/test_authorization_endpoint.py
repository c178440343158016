from dataclasses import replace

import httpx
import pytest

from issuer.usecases.clients import RegistrationRefused, register_client
from tests.support.issuer import REDIRECT_URI
from tests.support.issuer_api import WEB, Api, add_clients, good
from tests.support.issuer_pages import REQUEST, Page, Visitor

OTHER_URI = "https://client.example/other"


async def test_who_answers_is_verified_first(alice: Visitor) -> None:
    """3.1: The server MUST first verify the identity of the resource owner."""
    response = await alice.authorize()
    assert response.status_code == 200
    assert "sign-in" in alice.page.buttons


async def test_get_is_supported(alice: Visitor) -> None:
    """3.1: The server MUST support GET for the authorization endpoint."""
    assert await alice.allow()


async def test_parameters_without_a_value_are_omitted(alice: Visitor) -> None:
    """3.1: Parameters sent without a value MUST be treated as if they were omitted."""
    await alice.authorize(response_type="")
    assert alice.returned["error"] == "invalid_request"
    await alice.authorize(state="", max_age="", prompt="")
    assert "sign-in" in alice.page.buttons


async def test_unknown_parameters_are_ignored(alice: Visitor) -> None:
    """3.1: The server MUST ignore unrecognized request parameters."""
    assert await alice.allow(something="else", other="<b>")


@pytest.mark.parametrize("name", ["scope", "state", "response_type", "code_challenge", "unknown"])
async def test_parameters_come_once(api: Api, name: str) -> None:
    """3.1: Request parameters MUST NOT be included more than once."""
    query = list((REQUEST | {name: REQUEST.get(name, "x")}).items())
    response = await api.http.get("/authorize", params=[*query, (name, REQUEST.get(name, "x"))])
    assert response.status_code == 303
    assert "error=invalid_request" in response.headers["location"]


@pytest.mark.parametrize(
    ("response_type", "code"),
    [(None, "invalid_request"), ("token", "unsupported_response_type"), ("x", None)],
)
async def test_response_type_is_understood_or_refused(
    alice: Visitor, response_type: str | None, code: str | None
) -> None:
    """3.1.1: A missing or unknown response type MUST be answered with an error (4.1.2.1)."""
    await alice.authorize(response_type=response_type)
    assert alice.returned["error"] == (code or "unsupported_response_type")
    assert alice.returned["state"] == "the state"


@pytest.mark.parametrize(
    "uri", ["/callback", "callback", "//client.example/callback", "https://client.example/cb#here"]
)
async def test_redirect_uris_are_absolute_and_have_no_fragment(api: Api, uri: str) -> None:
    """3.1.2: The redirection endpoint URI MUST be absolute and MUST NOT include a fragment."""
    client = replace(WEB, client_id="new", redirect_uris=(uri,))
    outcome = await register_client(
        api.pool, client, confidential=True, actor="test", correlation_id="test"
    )
    assert isinstance(outcome, RegistrationRefused)


async def test_a_query_of_the_redirect_uri_is_kept(api: Api, alice: Visitor) -> None:
    """3.1.2: A query component MUST be retained when parameters are added."""
    uri = "https://client.example/callback?tenant=a%20b"
    await add_clients(api.pool, replace(WEB, client_id="new", redirect_uris=(uri,)))
    response = await alice.authorize(client_id="new", redirect_uri=uri, response_type="x")
    assert response.headers["location"].startswith(f"{uri}&error=")


async def test_public_clients_register_their_redirect_uris(api: Api) -> None:
    """3.1.2.2: The server MUST require public clients to register their redirection endpoint."""
    client = replace(WEB, client_id="new", redirect_uris=())
    outcome = await register_client(
        api.pool, client, confidential=False, actor="test", correlation_id="test"
    )
    assert isinstance(outcome, RegistrationRefused)


async def test_one_of_several_redirect_uris_is_named(api: Api, alice: Visitor) -> None:
    """3.1.2.3: With several registered URIs, the request MUST name one."""
    several = replace(WEB, client_id="new", redirect_uris=(REDIRECT_URI, OTHER_URI))
    await add_clients(api.pool, several)
    asked = {"client_id": "new", "scope": "orders.read"}
    assert_shown(await alice.authorize(**asked, redirect_uri=None))
    await alice.authorize(**asked, redirect_uri=OTHER_URI)
    assert "sign-in" in alice.page.buttons


@pytest.mark.parametrize(
    "uri",
    [
        OTHER_URI,
        f"{REDIRECT_URI}/",
        f"{REDIRECT_URI}?a=b",
        f"{REDIRECT_URI}#here",
        "https://client.example/CALLBACK",
        "https://CLIENT.example/callback",
        "https://client.example:443/callback",
        "https://client.example/x/../callback",
        "http://client.example/callback",
        "https://client.example@evil.example/callback",
        "https://evil.example/callback",
        "javascript:alert(1)",
    ],
)
async def test_redirect_uris_are_compared_as_strings(alice: Visitor, uri: str) -> None:
    """3.1.2.3: The server MUST compare with the registered URIs, as simple strings.

    3.1.2.4 and 4.1.2.1: it MUST NOT redirect automatically to a URI that fails.
    """
    assert_shown(await alice.authorize(redirect_uri=uri))


async def test_an_unknown_client_is_not_redirected(alice: Visitor) -> None:
    """4.1.2.1: With an invalid client identifier the server MUST NOT redirect automatically."""
    assert_shown(await alice.authorize(client_id="nobody"))
    assert_shown(await alice.authorize(client_id=None))


def assert_shown(response: httpx.Response) -> None:
    """The person is told; the browser is sent nowhere."""
    assert response.status_code == 400
    assert "location" not in response.headers
    assert Page.of(response).buttons == {}


@pytest.mark.parametrize("state", ["the state", "a b&c=d", "<script>", "\U0001f511", "x" * 2000])
async def test_state_comes_back_as_it_was(alice: Visitor, state: str) -> None:
    """4.1.2: `state` is REQUIRED in the answer, with the exact value that was received."""
    await alice.allow(state=state)
    assert alice.returned["state"] == state
    await alice.authorize(state=state, response_type="x")
    assert alice.returned["state"] == state


async def test_there_is_no_state_where_none_was_sent(alice: Visitor) -> None:
    """4.1.2: `state` is in the answer only if it was in the request."""
    await alice.allow(state=None)
    assert "state" not in alice.returned


async def test_a_denial_is_told_to_the_client(alice: Visitor) -> None:
    """4.1.2.1: When the resource owner denies the request, the client is told `access_denied`."""
    await alice.sign_in()
    await alice.press("deny")
    assert alice.returned["error"] == "access_denied"
    assert alice.returned["state"] == "the state"


async def test_a_client_without_the_grant_is_refused(api: Api, alice: Visitor) -> None:
    """4.1.2.1: A client that may not use codes is told `unauthorized_client`."""
    await add_clients(api.pool, replace(WEB, client_id="new", grants=frozenset()))
    await alice.authorize(client_id="new")
    assert alice.returned["error"] == "unauthorized_client"


@pytest.mark.parametrize("scope", ['a"b', "a\\b", "a  b", " a", "\u00e9", "nothing.it.may.have"])
async def test_a_bad_scope_is_refused(alice: Visitor, scope: str) -> None:
    """3.3: A scope is scope tokens with single spaces between them; any other is invalid."""
    await alice.authorize(scope=scope)
    assert alice.returned["error"] == "invalid_scope"


async def test_a_missing_scope_gets_the_default(api: Api, alice: Visitor) -> None:
    """3.3: Without a scope the server MUST use a default or refuse; ours is all it may have."""
    code = await alice.allow(scope=None)
    assert good(await api.redeem(code))["scope"] == "openid orders.read orders.write"


async def test_error_descriptions_use_the_allowed_characters(alice: Visitor) -> None:
    """4.1.2.1: `error_description` MUST NOT have characters outside of %x20-21, 23-5B, 5D-7E."""
    for changed in ({"response_type": "x"}, {"scope": '"'}, {"code_challenge": None}):
        await alice.authorize(**changed)
        description = alice.returned["error_description"]
        assert all(" " <= each <= "~" and each not in '"\\' for each in description)


async def test_another_sites_form_can_not_answer_for_a_person(alice: Visitor) -> None:
    """10.12: The server MUST protect its authorization endpoint against cross-site requests."""
    await alice.sign_in()
    fields = dict(alice.page.fields)
    allow = {"decision": "allow"}
    for forged in ({}, {**fields, "request": "made up"}):
        response = await alice.http.post("/consent", data={**forged, **allow})
        assert response.status_code == 403
    alice.http.cookies.clear()
    assert (await alice.http.post("/consent", data={**fields, **allow})).status_code == 403


async def test_pages_can_not_be_framed(alice: Visitor) -> None:
    """10.13: Pages of the authorization endpoint can't be put into another site's frame."""
    response = await alice.authorize()
    assert response.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
