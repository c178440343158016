from typing import Any

import jwt
import pytest

from tests.support.issuer import RESOURCE, a_code, a_session
from tests.support.issuer_api import (
    ISSUER,
    MACHINE_SECRET,
    REPORTS,
    SECRET,
    WEB,
    Api,
    add_api,
    error,
    good,
)
from tests.support.issuer_pages import Visitor


def claims(token: str) -> dict[str, Any]:
    unverified: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return unverified


async def verified(api: Api, token: str) -> dict[str, Any]:
    """The claims of a token, verified with the published key that it names."""
    jwks = jwt.PyJWKSet.from_dict(good(await api.http.get("/.well-known/jwks.json")))
    header = jwt.get_unverified_header(token)
    key = jwks[header["kid"]]
    said: dict[str, Any] = jwt.decode(
        token, key, algorithms=[header["alg"]], audience=RESOURCE, issuer=ISSUER
    )
    return said


async def test_tokens_are_signed(api: Api) -> None:
    """2.1: JWT access tokens MUST be signed, and MUST NOT use "none"."""
    token = (await api.tokens())["access_token"]
    assert jwt.get_unverified_header(token)["alg"] == "ES256"
    assert await verified(api, token)


async def test_rs256_is_supported(api: Api) -> None:
    """2.1: Servers MUST include RS256 among their algorithms: an API may ask for it."""
    await add_api(api.pool, RESOURCE, alg="RS256")
    token = (await api.tokens())["access_token"]
    assert jwt.get_unverified_header(token)["alg"] == "RS256"
    assert await verified(api, token)


async def test_the_type_is_at_jwt(api: Api) -> None:
    """2.1: The `typ` header MUST be `at+jwt` (or with `application/`)."""
    token = (await api.machine_token())["access_token"]
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"


@pytest.mark.parametrize("name", ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"])
async def test_required_claims_are_there(api: Api, name: str) -> None:
    """2.2: `iss`, `exp`, `aud`, `sub`, `client_id`, `iat` and `jti` are REQUIRED."""
    for token in (await api.tokens(), await api.machine_token()):
        assert name in await verified(api, token["access_token"])


async def test_each_token_has_its_own_jti(api: Api) -> None:
    """2.2: `jti` is the token's own (RFC 7519 4.1.7): no two tokens share one."""
    tokens = [(await api.machine_token())["access_token"] for _ in range(20)]
    assert len({claims(token)["jti"] for token in tokens}) == 20


async def test_the_authentication_is_the_same_after_a_refresh(api: Api, alice: Visitor) -> None:
    """2.2.1: `auth_time` and `acr` stay what they were at the sign-in, in every token from it."""
    tokens = good(await api.redeem(await alice.allow()))
    first = claims(tokens["access_token"])
    refreshed = good(await api.token("refresh_token", refresh_token=tokens["refresh_token"]))
    later = claims(refreshed["access_token"])
    assert "amr" not in first
    for name in ("auth_time", "acr"):
        assert first[name] == later[name] == claims(tokens["id_token"])[name]


async def test_a_requested_scope_is_in_the_token(api: Api, alice: Visitor) -> None:
    """2.2.3: If the request had a scope, the token SHOULD have the scope that was granted."""
    tokens = good(await api.redeem(await alice.allow(scope="openid orders.read")))
    assert set(claims(tokens["access_token"])["scope"].split(" ")) == {"openid", "orders.read"}


@pytest.mark.parametrize(
    ("resource", "own"), [(RESOURCE, "orders.read"), (REPORTS, "orders.write")]
)
async def test_each_scope_means_something_to_the_audience(
    api: Api, alice: Visitor, resource: str, own: str
) -> None:
    """2.2.3: All scopes of a token MUST have meaning for the resource that is its `aud`."""
    await add_api(api.pool, RESOURCE, scopes=frozenset({"orders.read"}))
    await add_api(api.pool, REPORTS, scopes=frozenset({"orders.write"}))
    asked = "openid orders.read orders.write"
    tokens = good(await api.redeem(await alice.allow(scope=asked, resource=resource)))
    refreshed = good(await api.token("refresh_token", refresh_token=tokens["refresh_token"]))
    for answer in (tokens, refreshed):
        assert set(answer["scope"].split()) == {"openid", own}
        assert set(claims(answer["access_token"])["scope"].split()) == {"openid", own}
    of_machine = claims((await api.machine_token(resource=resource))["access_token"])
    assert (of_machine["aud"], of_machine["scope"]) == (resource, own)


async def test_the_subject_of_a_person_is_the_person(api: Api) -> None:
    """2.2, 5: With a resource owner, `sub` is the resource owner's, never the client's."""
    session = a_session()
    code = await a_code(api.parts.families, WEB, session)
    assert isinstance(code, str)
    assert claims(good(await api.redeem(code))["access_token"])["sub"] == str(session.subject)


async def test_the_subject_of_a_client_is_the_client(api: Api) -> None:
    """2.2: Without a resource owner, `sub` SHOULD be an identifier of the client."""
    said = claims((await api.machine_token())["access_token"])
    assert said["sub"] == said["client_id"] == "machine"


async def test_the_requested_resource_is_the_audience(api: Api, alice: Visitor) -> None:
    """3: If the request had a `resource`, the token's `aud` SHOULD be it."""
    tokens = good(await api.redeem(await alice.allow(resource=RESOURCE)))
    assert claims(tokens["access_token"])["aud"] == RESOURCE
    asked = await api.machine_token(resource=REPORTS)
    assert claims(asked["access_token"])["aud"] == REPORTS


async def test_without_a_resource_there_is_a_default(api: Api, alice: Visitor) -> None:
    """3: Without a `resource` the server MUST use a default for `aud`."""
    tokens = good(await api.redeem(await alice.allow()))
    assert claims(tokens["access_token"])["aud"] == RESOURCE


async def test_scopes_choose_the_default_resource(api: Api, alice: Visitor) -> None:
    """3: Without a `resource` the server SHOULD infer it from the scopes that were asked for."""
    await add_api(api.pool, REPORTS, scopes=frozenset({"orders.write"}))
    tokens = good(await api.redeem(await alice.allow(scope="openid orders.write")))
    assert claims(tokens["access_token"])["aud"] == REPORTS


async def test_scopes_of_another_resource_are_an_invalid_scope(api: Api, alice: Visitor) -> None:
    """3: Scopes that belong to other resources than the one asked for are an `invalid_scope`."""
    await add_api(api.pool, RESOURCE, scopes=frozenset({"orders.read"}))
    await alice.authorize(scope="orders.write", resource=RESOURCE)
    assert alice.returned["error"] == "invalid_scope"
    auth = ("machine", MACHINE_SECRET)
    form = {"scope": "orders.read orders.write", "resource": RESOURCE}
    response = await api.token("client_credentials", auth=auth, **form)
    assert error(response) == (400, "invalid_scope")


async def test_an_unknown_resource_is_an_invalid_target(api: Api, alice: Visitor) -> None:
    """3: A resource that no token can be made for is refused with `invalid_target` (RFC 8707)."""
    await alice.authorize(resource="https://elsewhere.example")
    assert alice.returned["error"] == "invalid_target"
    auth = ("machine", MACHINE_SECRET)
    response = await api.token("client_credentials", auth=auth, resource="https://x.example")
    assert error(response) == (400, "invalid_target")


async def test_keys_are_found_by_metadata(api: Api) -> None:
    """4: Resource servers find the keys in the metadata's `jwks_uri`, whose `issuer` is `iss`."""
    told = good(await api.http.get("/.well-known/oauth-authorization-server"))
    token = (await api.machine_token())["access_token"]
    assert claims(token)["iss"] == told["issuer"]
    keys = good(await api.http.get(told["jwks_uri"]))["keys"]
    assert jwt.get_unverified_header(token)["kid"] in {key["kid"] for key in keys}


async def test_an_id_token_is_no_access_token(api: Api) -> None:
    """5: Access tokens and ID tokens MUST be told apart: an ID token opens nothing."""
    tokens = await api.tokens()
    assert jwt.get_unverified_header(tokens["id_token"])["typ"] != "at+jwt"
    bearer = {"authorization": f"Bearer {tokens['id_token']}"}
    assert error(await api.http.get("/userinfo", headers=bearer)) == (401, "invalid_token")
    assert await api.introspect(tokens["id_token"], auth=("web", SECRET)) == {"active": False}


async def test_an_access_token_is_no_hint(api: Api, alice: Visitor) -> None:
    """5: An access token is not taken where an ID token is asked for."""
    tokens = good(await api.redeem(await alice.allow()))
    await alice.authorize(id_token_hint=tokens["access_token"])
    assert alice.returned["error"] == "invalid_request"
    await alice.authorize(id_token_hint=tokens["id_token"])
    assert "code" in alice.returned


async def test_a_token_lives_as_long_as_was_said(api: Api) -> None:
    """2.2: `exp` is when the token ends: `iat` and the `expires_in` of the answer."""
    tokens = await api.tokens()
    said = claims(tokens["access_token"])
    assert said["exp"] - said["iat"] == tokens["expires_in"] == 600


async def test_tokens_hold_no_more_of_a_person_than_needed(api: Api, alice: Visitor) -> None:
    """6: A JWT can be read by everybody who gets it: names and addresses are at userinfo only."""
    tokens = good(await api.redeem(await alice.allow(scope="openid orders.read")))
    for kind in ("access_token", "id_token"):
        assert not {"name", "email", "preferred_username"} & claims(tokens[kind]).keys()
