import jwt
import pytest

from servicekit.postgres import Pool
from tests.support.issuer import RESOURCE
from tests.support.issuer_api import (
    ISSUER,
    WEB,
    Api,
    add_api,
    add_clients,
    api_on,
    good,
    lend_keys,
)

DOCUMENTS = [
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/.well-known/jwks.json",
]
APP = "https://app.example"


@pytest.mark.parametrize("path", DOCUMENTS)
async def test_documents_may_be_kept_and_asked_for_again(api: Api, path: str) -> None:
    """Caches may keep a document for a while, and get 304 while it has not changed."""
    first = await api.http.get(path)
    assert first.headers["cache-control"] == "public, max-age=300"
    etag = first.headers["etag"]
    for named in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = await api.http.get(path, headers={"if-none-match": named})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
    changed = await api.http.get(path, headers={"if-none-match": '"other"'})
    assert changed.json() == first.json()


async def test_the_etag_changes_with_the_keys(api: Api) -> None:
    """A new key is a new document."""
    before = (await api.http.get("/.well-known/jwks.json")).headers["etag"]
    await api.parts.keyring.ensure("EdDSA")
    assert (await api.http.get("/.well-known/jwks.json")).headers["etag"] != before


@pytest.mark.parametrize("path", DOCUMENTS)
async def test_a_head_is_a_get_without_a_body(api: Api, path: str) -> None:
    """HEAD tells the headers of a GET."""
    got, head = await api.http.get(path), await api.http.head(path)
    assert head.status_code == 200
    assert head.headers["etag"] == got.headers["etag"]


@pytest.mark.parametrize("path", [*DOCUMENTS, "/token", "/revoke", "/userinfo"])
async def test_scripts_of_any_origin_may_ask(api: Api, path: str) -> None:
    """Endpoints that know nobody by a cookie answer a preflight from any origin."""
    preflight = await api.http.options(
        path,
        headers={
            "origin": APP,
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type",
        },
    )
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in preflight.headers
    answer = await api.http.post(path, headers={"origin": APP})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "WWW-Authenticate" in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize("path", ["/authorize", "/sign-in", "/consent", "/logout", "/introspect"])
async def test_scripts_may_not_call_the_pages(api: Api, path: str) -> None:
    """Where a cookie has power, and at introspection, another origin's script reads nothing."""
    preflight = await api.http.options(
        path, headers={"origin": APP, "access-control-request-method": "POST"}
    )
    answer = await api.http.post(path, headers={"origin": APP})
    for each in (preflight, answer):
        assert "access-control-allow-origin" not in each.headers


@pytest.mark.parametrize("path", [*DOCUMENTS, "/token", "/nothing", "/userinfo"])
async def test_every_answer_is_guarded(api: Api, path: str) -> None:
    """Nothing is sniffed, framed or run, whatever the answer is; https stays https."""
    headers = (await api.http.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["strict-transport-security"].startswith("max-age=")
    assert headers["x-request-id"]


async def test_a_page_keeps_its_own_policy(api: Api) -> None:
    """The policy of a page is the page's, and there is only one."""
    response = await api.http.get("/authorize")
    policies = response.headers.get_list("content-security-policy")
    assert len(policies) == 1
    assert "style-src 'self'" in policies[0]


async def test_no_description_of_the_framework_is_served(api: Api) -> None:
    """Neither an OpenAPI document nor its pages are there."""
    for path in ("/openapi.json", "/docs", "/redoc"):
        assert (await api.http.get(path)).status_code == 404


WHOLE = {
    "issuer": "https://id.example",
    "authorization_endpoint": "https://id.example/authorize",
    "token_endpoint": "https://id.example/token",
    "jwks_uri": "https://id.example/.well-known/jwks.json",
    "userinfo_endpoint": "https://id.example/userinfo",
    "revocation_endpoint": "https://id.example/revoke",
    "introspection_endpoint": "https://id.example/introspect",
    "end_session_endpoint": "https://id.example/logout",
    "scopes_supported": ["email", "openid", "orders.read", "profile"],
    "response_types_supported": ["code"],
    "response_modes_supported": ["query"],
    "grant_types_supported": ["authorization_code", "client_credentials", "refresh_token"],
    "subject_types_supported": ["public"],
    "id_token_signing_alg_values_supported": ["RS256"],
    "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
    "revocation_endpoint_auth_methods_supported": [
        "client_secret_basic", "client_secret_post", "none"
    ],
    "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    "code_challenge_methods_supported": ["S256"],
    "claims_supported": [
        "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "sid", "name",
        "preferred_username", "email",
    ],
    "acr_values_supported": ["password"],
    "prompt_values_supported": ["consent", "login", "none", "select_account"],
    "claims_parameter_supported": False,
    "request_parameter_supported": False,
    "request_uri_parameter_supported": False,
    "authorization_response_iss_parameter_supported": True,
}  # fmt: skip


@pytest.mark.parametrize("path", DOCUMENTS[:2])
async def test_the_metadata_is_this_and_nothing_else(pool: Pool, path: str) -> None:
    """Every member of both documents, with its value; no other member is told."""
    await add_api(pool, RESOURCE, scopes=frozenset({"orders.read"}))
    async with api_on(pool) as api:
        assert good(await api.http.get(path)) == WHOLE


async def test_no_setting_changes_how_id_tokens_are_signed(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenID Connect Core 15.1, Discovery 3: RS256 is listed, and it is what signs."""
    monkeypatch.setenv("REVOCAST_ISSUER_ID_TOKEN_ALG", "ES256")
    monkeypatch.setenv("REVOCAST_ISSUER_ACCESS_TOKEN_ALG", "EdDSA")
    await lend_keys(pool)
    async with api_on(pool) as api:
        await add_clients(pool, WEB)
        told = good(await api.http.get(DOCUMENTS[0]))["id_token_signing_alg_values_supported"]
        tokens = await api.tokens()
        algs = [
            jwt.get_unverified_header(tokens[each])["alg"] for each in ("id_token", "access_token")
        ]
        assert (told, algs) == (["RS256"], ["RS256", "EdDSA"])


async def test_an_issuer_with_a_path_has_everything_below_it(pool: Pool) -> None:
    """All that the metadata names answers below the issuer's path, and its metadata where RFC 8414
    and OpenID Connect Discovery look for it."""
    issuer = f"{ISSUER}/tenant"
    async with api_on(pool, issuer) as api:
        http = api.http
        documents = [
            await http.get(f"{ISSUER}/.well-known/oauth-authorization-server/tenant"),
            await http.get(f"{issuer}/.well-known/openid-configuration"),
        ]
        for document in documents:
            assert good(document)["issuer"] == issuer
        named = documents[0].json()
        for name, url in named.items():
            if name.endswith(("_endpoint", "_uri")):
                assert url.startswith(f"{issuer}/"), name
                assert (await http.get(url)).status_code != 404, name
        preflight = {"origin": APP, "access-control-request-method": "POST"}
        answer = await http.options(named["token_endpoint"], headers=preflight)
        assert answer.headers["access-control-allow-origin"] == "*"
