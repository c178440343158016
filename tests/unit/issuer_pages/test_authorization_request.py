from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.domain.authorization import AuthorizationRequest
from issuer.domain.client import Client, GrantType
from issuer.domain.parameters import parse
from issuer.usecases.check_authorization_request import (
    LONGEST,
    Returned,
    Shown,
    check_authorization_request,
)

ISSUER = "https://id.example"
API = "https://api.example"
OTHER = "https://other.example"
CALLBACK = "https://app.example/cb"
CLIENT = Client(
    client_id="web",
    name="Web",
    secret_sha256=b"s" * 32,
    grants=frozenset({GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN}),
    redirect_uris=(CALLBACK,),
    post_logout_redirect_uris=(),
    scopes=frozenset({"openid", "orders.read", "orders.write"}),
    resources=(API, OTHER),
    introspects=frozenset(),
    native=False,
    pkce_required=True,
    consent_required=True,
    grace=timedelta(seconds=10),
    access_token_lifetime=timedelta(minutes=10),
    refresh_idle_lifetime=timedelta(days=14),
    refresh_absolute_lifetime=timedelta(days=90),
    disabled=False,
)
EXEMPT = replace(CLIENT, pkce_required=False)
PUBLIC = replace(CLIENT, secret_sha256=None, pkce_required=False)
NATIVE = replace(PUBLIC, native=True, redirect_uris=("http://127.0.0.1/callback",))
VALID = {
    "response_type": "code",
    "client_id": "web",
    "redirect_uri": CALLBACK,
    "scope": "openid orders.read",
    "state": "xyz",
    "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    "code_challenge_method": "S256",
}


def check(
    changes: dict[str, str | None] | None = None, client: Client | None = CLIENT, *, more: str = ""
) -> AuthorizationRequest | Shown | Returned:
    sent = {name: value for name, value in (VALID | (changes or {})).items() if value is not None}
    return check_authorization_request(
        parse((urlencode(sent) + more).encode()), client, issuer=ISSUER
    )


KNOWING = replace(
    CLIENT, resource_scopes={API: frozenset({"orders.read"}), OTHER: frozenset({"orders.write"})}
)


@pytest.mark.parametrize(
    ("scope", "resource", "target", "left"),
    [
        ("openid orders.read orders.write", None, API, {"openid", "orders.read"}),
        ("openid orders.read orders.write", OTHER, OTHER, {"openid", "orders.write"}),
        ("openid orders.write", None, OTHER, {"openid", "orders.write"}),
        ("openid", None, API, {"openid"}),
        (None, OTHER, OTHER, {"openid", "orders.write"}),
    ],
)
def test_scopes_are_those_of_one_api(
    scope: str | None, resource: str | None, target: str, left: set[str]
) -> None:
    """RFC 9068 section 2.2.3: what the API does not know is neither asked for nor granted."""
    request = check({"scope": scope, "resource": resource}, KNOWING)
    assert isinstance(request, AuthorizationRequest)
    assert (request.resource, set(request.scope)) == (target, left)


def test_an_api_without_registered_scopes_may_know_any() -> None:
    """Only what an API has registered can be held against a request."""
    partly = replace(
        KNOWING, resource_scopes={OTHER: frozenset({"orders.write"}), API: frozenset()}
    )
    request = check({"scope": "orders.read orders.write", "resource": API}, partly)
    assert isinstance(request, AuthorizationRequest)
    assert request.scope == {"orders.read", "orders.write"}


def test_scopes_of_other_apis_only_are_refused() -> None:
    """A token for this API would open nothing."""
    refused = check({"scope": "orders.write", "resource": API}, KNOWING)
    assert isinstance(refused, Returned)
    assert refused.error == "invalid_scope"


def test_a_valid_request_is_taken_apart() -> None:
    """Every parameter arrives where it belongs."""
    request = check({"nonce": "n", "prompt": "login consent", "max_age": "60", "login_hint": "al"})
    assert request == AuthorizationRequest(
        client_id="web",
        redirect_uri=CALLBACK,
        redirect_uri_given=True,
        scope=frozenset({"openid", "orders.read"}),
        resource=API,
        state="xyz",
        nonce="n",
        code_challenge=VALID["code_challenge"],
        prompt=frozenset({"login", "consent"}),
        max_age=60,
        login_hint="al",
    )


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"request": "e30."}, "request_not_supported"),
        ({"request_uri": "https://app.example/r"}, "request_uri_not_supported"),
        ({"scope": "admin"}, "invalid_scope"),
        ({"scope": 'a"b'}, "invalid_scope"),
        ({"scope": "openid  orders.read"}, "invalid_scope"),
        ({"scope": "openid\norders.read"}, "invalid_scope"),
        ({"scope": "é"}, "invalid_scope"),
        ({"resource": "https://elsewhere.example"}, "invalid_target"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": "E" * 44}, "invalid_request"),
        ({"code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "create"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"max_age": "٣"}, "invalid_request"),
        ({"max_age": "9" * 10}, "invalid_request"),
    ],
)
def test_what_is_wrong_goes_back_to_the_client(changes: dict[str, str | None], error: str) -> None:
    """RFC 6749 section 4.1.2.1: the error and the state go to the redirect URI."""
    returned = check(changes)
    assert isinstance(returned, Returned)
    assert (returned.error, returned.state, returned.redirect_uri) == (error, "xyz", CALLBACK)


@pytest.mark.parametrize("name", sorted(set(LONGEST) - {"client_id", "redirect_uri"}))
def test_every_parameter_is_bounded(name: str) -> None:
    """A parameter longer than its limit is an error, whatever it holds."""
    returned = check({name: "x" * (LONGEST[name] + 1)})
    assert isinstance(returned, Returned)
    assert returned.error == "invalid_request"


@pytest.mark.parametrize("name", [*VALID.keys() - {"client_id", "redirect_uri", "state"}, "any"])
def test_a_repeated_parameter_is_an_error(name: str) -> None:
    """RFC 6749 section 3.1: parameters must not be included more than once."""
    returned = check(more=f"&{name}=a&{name}=b")
    assert isinstance(returned, Returned)
    assert (returned.error, returned.state) == ("invalid_request", "xyz")


def test_a_repeated_state_does_not_go_back() -> None:
    """Of two states neither is chosen."""
    returned = check(more="&state=other")
    assert isinstance(returned, Returned)
    assert returned.state is None


def test_several_resources_are_too_many() -> None:
    """RFC 8707 lets `resource` come twice; we refuse that with the error of its own."""
    returned = check(more=f"&resource={API}&resource=https://other.example")
    assert isinstance(returned, Returned)
    assert returned.error == "invalid_target"


@pytest.mark.parametrize(
    "presented",
    [
        "https://app.example/cb/",
        "https://app.example/cb?x=1",
        "https://app.example/CB",
        "https://app.example:443/cb",
        "https://app.example/cb#f",
        "https://app.example.evil.example/cb",
        "https://app.example@evil.example/cb",
        "https://evil.example/https://app.example/cb",
        "http://app.example/cb",
        "//app.example/cb",
        "javascript:alert(1)",
        " https://app.example/cb",
        "https://app.example/cb\n",
        "https://app.example/x/../cb",
        "https://app.example/%63b",
        "https://app.example/cb" + "x" * 5000,
    ],
)
def test_another_redirect_uri_is_never_answered_to(presented: str) -> None:
    """RFC 9700 section 2.1: redirect URIs are compared by exact string matching."""
    assert isinstance(check({"redirect_uri": presented}), Shown)


@given(st.text(max_size=60).filter(lambda text: text not in ("", CALLBACK) and "\0" not in text))
def test_no_text_but_the_registered_one_matches(presented: str) -> None:
    """No other string is taken for the registered redirect URI."""
    if all(not 0xD800 <= ord(each) <= 0xDFFF for each in presented):
        assert isinstance(check({"redirect_uri": presented}), Shown)


@pytest.mark.parametrize("client", [None, replace(CLIENT, disabled=True)])
def test_an_unknown_client_is_never_redirected(client: Client | None) -> None:
    """Without a client nothing that the request says can be trusted."""
    assert isinstance(check(client=client), Shown)


@pytest.mark.parametrize("name", ["redirect_uri"])
def test_of_two_redirect_uris_neither_is_used(name: str) -> None:
    """A repeated redirect URI is shown to the person."""
    assert isinstance(check(more=f"&{name}={CALLBACK}"), Shown)


def test_a_lone_redirect_uri_may_be_left_out() -> None:
    """RFC 6749 section 3.1.2.3, and the code remembers that it was."""
    request = check({"redirect_uri": None, "scope": "orders.read"})
    assert isinstance(request, AuthorizationRequest)
    assert (request.redirect_uri, request.redirect_uri_given) == (CALLBACK, False)


@pytest.mark.parametrize(
    ("scope", "uris"), [("openid", (CALLBACK,)), ("orders.read", (CALLBACK, CALLBACK + "2"))]
)
def test_where_it_may_not_be_left_out(scope: str, uris: tuple[str, ...]) -> None:
    """OpenID Connect always names the redirect URI, and so must a client that has several."""
    changes = {"redirect_uri": None, "scope": scope}
    assert isinstance(check(changes, replace(CLIENT, redirect_uris=uris)), Shown)


@pytest.mark.parametrize("port", ["", ":1", ":51004"])
def test_a_native_client_may_use_any_loopback_port(port: str) -> None:
    """RFC 8252 section 7.3."""
    uri = f"http://127.0.0.1{port}/callback"
    request = check({"redirect_uri": uri}, NATIVE)
    assert isinstance(request, AuthorizationRequest)
    assert request.redirect_uri == uri


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:51004/other",
        "http://127.0.0.2:51004/callback",
        "http://127.0.0.1:x/callback",
        "http://127.0.0.1:99999/callback",
        "http://user@127.0.0.1:51004/callback",
        "https://127.0.0.1:51004/callback",
        "http://127.0.0.1:51004/callback?x=1",
    ],
)
def test_only_the_port_may_vary(uri: str) -> None:
    """Everything else of a native client's redirect URI is still compared exactly."""
    assert isinstance(check({"redirect_uri": uri}, NATIVE), Shown)


def test_a_web_client_may_not_vary_its_port() -> None:
    """The exception of RFC 8252 is for native clients only."""
    client = replace(NATIVE, native=False)
    assert isinstance(check({"redirect_uri": "http://127.0.0.1:51004/callback"}, client), Shown)


def test_an_exempt_client_needs_a_nonce() -> None:
    """Without PKCE the nonce of OpenID Connect has to protect the code."""
    without: dict[str, str | None] = {"code_challenge": None, "code_challenge_method": None}
    assert isinstance(check(without | {"nonce": "n"}, EXEMPT), AuthorizationRequest)
    for changes in (without, without | {"nonce": "n", "scope": "orders.read"}):
        assert isinstance(check(changes, EXEMPT), Returned)


def test_a_public_client_is_never_exempt() -> None:
    """A client that can keep no secret uses PKCE, whatever its registration says."""
    without = {"code_challenge": None, "code_challenge_method": None, "nonce": "n"}
    assert isinstance(check(without, PUBLIC), Returned)


def test_a_client_without_the_grant_is_told() -> None:
    """RFC 6749 section 4.1.2.1: unauthorized_client."""
    client = replace(CLIENT, grants=frozenset({GrantType.CLIENT_CREDENTIALS}))
    returned = check(client=client)
    assert isinstance(returned, Returned)
    assert returned.error == "unauthorized_client"


def test_scopes_beyond_the_registration_are_left_out() -> None:
    """What a client may not have is not asked for; with no scope it asks for all it may have."""
    some, everything = check({"scope": "orders.read admin"}), check({"scope": None})
    assert isinstance(some, AuthorizationRequest)
    assert isinstance(everything, AuthorizationRequest)
    assert some.scope == {"orders.read"}
    assert everything.scope == CLIENT.scopes


def test_the_resource_has_a_default() -> None:
    """The first registered resource is the default; a client without any gets ours."""
    named = check({"resource": "https://other.example"})
    none = check(client=replace(CLIENT, resources=()))
    assert isinstance(named, AuthorizationRequest)
    assert isinstance(none, AuthorizationRequest)
    assert (named.resource, none.resource) == ("https://other.example", ISSUER)


names = st.sampled_from([*VALID, "prompt", "max_age", "nonce", "resource", "request", "x"])
values = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


@given(st.lists(st.tuples(names, values), max_size=12), st.sampled_from([CLIENT, EXEMPT, NATIVE]))
def test_whatever_comes_is_judged(pairs: list[tuple[str, str]], client: Client) -> None:
    """Any parameters give a valid request, a page, or an error to a registered address."""
    outcome = check_authorization_request(parse(urlencode(pairs).encode()), client, issuer=ISSUER)
    if not isinstance(outcome, Shown):
        assert outcome.redirect_uri in client.redirect_uris
    if isinstance(outcome, AuthorizationRequest):
        assert outcome.scope <= client.scopes
        assert outcome.code_challenge or (client is EXEMPT and outcome.nonce)
