from typing import Any
from urllib.parse import urlsplit

import pytest

from servicekit.postgres import Pool
from tests.support.issuer import RESOURCE, VERIFIER
from tests.support.issuer_api import ISSUER, Api, add_api, api_on, good
from tests.support.issuer_pages import Visitor

WELL_KNOWN = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"


async def metadata(api: Api) -> dict[str, Any]:
    return good(await api.http.get(WELL_KNOWN))


async def test_the_issuer_is_an_https_url(api: Api) -> None:
    """2: `issuer` is REQUIRED: an https URL without query and fragment."""
    parts = urlsplit((await metadata(api))["issuer"])
    assert (parts.scheme, parts.query, parts.fragment) == ("https", "", "")


async def test_the_issuer_is_what_the_document_was_asked_for(api: Api) -> None:
    """3.3: `issuer` MUST be identical to the identifier that the document's URL was made from."""
    assert (await metadata(api))["issuer"] == ISSUER


async def test_required_members_are_there(api: Api) -> None:
    """2: The endpoints of the supported grants and `response_types_supported` are REQUIRED."""
    told = await metadata(api)
    assert told["authorization_endpoint"] == f"{ISSUER}/authorize"
    assert told["token_endpoint"] == f"{ISSUER}/token"
    assert told["response_types_supported"] == ["code"]


async def test_urls_are_https(api: Api) -> None:
    """2: `jwks_uri` and the endpoints are https URLs."""
    for name, value in (await metadata(api)).items():
        if name.endswith(("_endpoint", "_uri")):
            assert value.startswith("https://"), name


async def test_signing_algorithms_of_assertions_are_not_named(api: Api) -> None:
    """2: Where assertions are supported their algorithms MUST be named; none are."""
    told = await metadata(api)
    for endpoint in ("token", "revocation", "introspection"):
        methods = set(told[f"{endpoint}_endpoint_auth_methods_supported"])
        assert methods <= {"client_secret_basic", "client_secret_post", "none"}
        assert f"{endpoint}_endpoint_auth_signing_alg_values_supported" not in told
    assert "none" not in told["introspection_endpoint_auth_methods_supported"]


async def test_a_get_answers_json(api: Api) -> None:
    """3.1, 3.2: The document MUST be asked for by GET and answered 200 as application/json."""
    response = await api.http.get(WELL_KNOWN)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"


async def test_no_member_is_empty(api: Api) -> None:
    """3.2: Members with several values are arrays; those with none MUST be omitted."""
    for name, value in (await metadata(api)).items():
        assert value not in ([], "", None), name
        assert isinstance(value, list) == name.endswith("_supported") or isinstance(value, bool)


async def test_the_path_of_the_issuer_comes_last(pool: Pool) -> None:
    """3.1: The well-known part is put between the issuer's host and its path; a slash at the end
    MUST be removed."""
    async with api_on(pool, f"{ISSUER}/a/b") as api:
        told = good(await api.http.get(f"{ISSUER}{WELL_KNOWN}/a/b"))
        assert told["issuer"] == f"{ISSUER}/a/b"
        assert (await api.http.get(f"{ISSUER}{WELL_KNOWN}")).status_code == 404


async def test_discovery_of_openid_connect_says_the_same(api: Api) -> None:
    """5: One issuer, one truth: both documents are equal."""
    assert good(await api.http.get(OPENID)) == await metadata(api)


async def test_every_endpoint_is_there(api: Api) -> None:
    """2: What the document names exists: no endpoint answers 404."""
    for name, url in (await metadata(api)).items():
        if name.endswith(("_endpoint", "_uri")):
            assert (await api.http.get(url)).status_code != 404, name


async def test_what_it_names_is_supported(api: Api, alice: Visitor) -> None:
    """2: A code with PKCE by the named methods, its answer's `iss` (RFC 9207), the named scopes."""
    await add_api(api.pool, RESOURCE, scopes=frozenset({"orders.read"}))
    told = await metadata(api)
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert set(told["scopes_supported"]) >= {"openid", "profile", "email", "orders.read"}
    code = await alice.allow()
    assert told["authorization_response_iss_parameter_supported"] is True
    assert alice.returned["iss"] == ISSUER
    tokens = good(await api.redeem(code, code_verifier=VERIFIER))
    assert tokens.keys() >= {"access_token", "refresh_token", "id_token"}


@pytest.mark.parametrize("name", ["request", "request_uri"])
async def test_what_it_denies_is_refused(api: Api, alice: Visitor, name: str) -> None:
    """2: Members that are false say what is refused: request objects."""
    assert (await metadata(api))[f"{name}_parameter_supported"] is False
    await alice.authorize(**{name: "https://client.example/request"})
    assert alice.returned["error"] == f"{name}_not_supported"
