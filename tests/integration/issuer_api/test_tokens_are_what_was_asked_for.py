from dataclasses import replace
from typing import Any
from uuid import UUID

import jwt
import pytest

from issuer.store import clients
from issuer.usecases.create_account import create_account
from revocast.jwks import parse_jwks
from revocast.tokens import Profile, Rules
from revocast_contracts.selectors import subject_hash
from servicekit.postgres import transaction
from tests.support.issuer import HASH_KEY, RESOURCE, a_code, a_session
from tests.support.issuer_api import (
    ISSUER,
    MACHINE_SECRET,
    REPORTS,
    WEB,
    Api,
    add_api,
    error,
    good,
)
from tests.support.issuer_pages import told

AS_MACHINE = ("machine", MACHINE_SECRET)


def header(token: str) -> dict[str, Any]:
    return jwt.get_unverified_header(token)


def claims(token: str) -> dict[str, Any]:
    unverified: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return unverified


async def accepted(api: Api, token: str, *, audience: str, profile: Profile = "at+jwt") -> Any:
    """The token's claims, as the SDK of a resource server verifies them by our JWKS."""
    keys = parse_jwks(good(await api.http.get("/.well-known/jwks.json")))
    rules = Rules(
        issuer=ISSUER,
        audience=audience,
        algorithms=frozenset({"ES256", "EdDSA", "RS256", "PS256"}),
        profile=profile,
        leeway=10,
    )
    parsed = rules.parse(token)
    now = claims(token)["iat"]
    return rules.verify(parsed, keys[parsed.kid], now)


async def test_the_sdk_accepts_what_we_sign(api: Api) -> None:
    """An access token verifies with the published keys and says who, for whom and since when."""
    session = a_session()
    code = await a_code(api.parts.families, WEB, session)
    assert isinstance(code, str)
    answer = good(await api.redeem(code))
    said = await accepted(api, answer["access_token"], audience=RESOURCE)
    assert (said.sub, said.sid) == (str(session.subject), str(session.session_id))
    assert (said.client_id, said.scopes) == ("web", {"openid", "orders.read"})
    assert (said.acr, said.auth_time) == ("pwd", int(session.auth_time.timestamp()))
    assert said.subject_hash == subject_hash(said.sub, HASH_KEY)
    assert str(UUID(said.family)) == said.family
    assert answer["expires_in"] == said.exp - said.iat == 600
    assert (answer["token_type"], answer["scope"]) == ("Bearer", "openid orders.read")


async def test_a_token_is_no_younger_than_its_decision(api: Api) -> None:
    """`iat` is the second of the database's decision, which its event tells."""
    tokens = await api.tokens()
    issued = await api.pool.fetchval(
        "SELECT floor(extract(epoch FROM occurred_at)) FROM outbox"
        " WHERE type = 'revocast.token.issued.v1'"
    )
    assert claims(tokens["access_token"])["iat"] == issued


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "RS256", "PS256"])
async def test_an_api_chooses_its_algorithm(api: Api, alg: str) -> None:
    """The first token for an API makes the key of its algorithm, published at once."""
    await add_api(api.pool, RESOURCE, alg=alg)
    token = (await api.machine_token())["access_token"]
    assert (header(token)["alg"], header(token)["typ"]) == (alg, "at+jwt")
    await accepted(api, token, audience=RESOURCE)


async def test_the_profile_jwt_is_rs256_and_typ_jwt(api: Api) -> None:
    """A decoder that knows nothing but RS256 and JWT takes the token as it is."""
    await add_api(api.pool, RESOURCE, profile="jwt", alg="RS256")
    token = (await api.machine_token())["access_token"]
    assert (header(token)["alg"], header(token)["typ"]) == ("RS256", "JWT")
    await accepted(api, token, audience=RESOURCE, profile="jwt")


async def test_an_id_token_goes_with_a_code_for_openid(api: Api) -> None:
    """The ID token is for the client, repeats the nonce, and hashes its access token."""
    tokens = await api.tokens()
    jwks = jwt.PyJWKSet.from_dict(good(await api.http.get("/.well-known/jwks.json")))
    key = jwks[header(tokens["id_token"])["kid"]]
    said = jwt.decode(tokens["id_token"], key, issuer=ISSUER, audience="web", algorithms=["RS256"])
    assert said["nonce"] == "a nonce"
    assert (
        said["at_hash"]
        == jwt.utils.base64url_encode(
            key.Algorithm.compute_hash_digest(tokens["access_token"].encode())[:16]
        ).decode()
    )
    access = claims(tokens["access_token"])
    for name in ("sub", "sid", "auth_time", "acr", "iat"):
        assert said[name] == access[name]
    refreshed = good(await api.token("refresh_token", refresh_token=tokens["refresh_token"]))
    assert "id_token" not in refreshed


async def test_the_resource_parameter_chooses_the_audience(api: Api) -> None:
    """RFC 8707: the one that is asked for, if the client may; else its first, or the one that
    knows the scope."""
    await add_api(api.pool, REPORTS, scopes=frozenset({"orders.write"}))
    asked = await api.machine_token(resource=REPORTS)
    assert claims(asked["access_token"])["aud"] == REPORTS
    assert claims((await api.machine_token(scope="orders.read"))["access_token"])["aud"] == RESOURCE
    by_scope = await api.machine_token(scope="orders.write")
    assert claims(by_scope["access_token"])["aud"] == REPORTS


@pytest.mark.parametrize("resource", ["https://elsewhere.example", "nothing", RESOURCE + "/"])
async def test_another_resource_is_an_invalid_target(api: Api, resource: str) -> None:
    """A resource that was not granted is refused, and neither code nor refresh token is spent."""
    own = await api.token("client_credentials", auth=AS_MACHINE, resource=resource)
    assert error(own) == (400, "invalid_target")
    code = await a_code(api.parts.families, WEB)
    assert isinstance(code, str)
    assert error(await api.redeem(code, resource=resource)) == (400, "invalid_target")
    tokens = good(await api.redeem(code, resource=RESOURCE))
    form = {"refresh_token": tokens["refresh_token"]}
    refused = await api.token("refresh_token", resource=resource, **form)
    assert error(refused) == (400, "invalid_target")
    good(await api.token("refresh_token", resource=RESOURCE, **form))


async def test_a_client_gets_nothing_of_a_person_for_itself(api: Api) -> None:
    """`openid` and what comes with it is about people: a client can't have it for itself."""
    personal = replace(WEB, client_id="both", scopes=frozenset({"openid", "email", "orders.read"}))
    async with transaction(api.pool) as connection:
        await clients.add(connection, personal)
    auth = ("both", "the secret of web")
    assert good(await api.token("client_credentials", auth=auth))["scope"] == "orders.read"
    refused = await api.token("client_credentials", auth=auth, scope="openid orders.read")
    assert error(refused) == (400, "invalid_scope")


async def test_a_disabled_account_has_no_claims(api: Api) -> None:
    """Userinfo answers for an account that is there, and stops when it is switched off."""
    account = await create_account(
        api.people,
        username="alice",
        password="correct horse battery staple",
        name="Alice",
        email="alice@shop.example",
        actor="test",
        correlation_id="test",
    )
    subject = getattr(account, "subject", None)
    code = await a_code(api.parts.families, WEB, a_session(subject))
    assert isinstance(code, str)
    token = good(await api.redeem(code))["access_token"]
    bearer = {"authorization": f"Bearer {token}"}
    assert good(await api.http.get("/userinfo", headers=bearer)) == {"sub": str(subject)}
    await api.pool.execute("UPDATE account SET disabled = true")
    refused = await api.http.get("/userinfo", headers=bearer)
    assert error(refused) == (401, "invalid_token")


async def test_too_many_replays_are_told_to_slow_down(api: Api) -> None:
    """The replay after the last one within grace gets 429 and a time to wait."""
    first = (await api.tokens())["refresh_token"]
    answers = [await api.token("refresh_token", refresh_token=first) for _ in range(5)]
    assert [each.status_code for each in answers] == [200, 200, 200, 200, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert len({good(each)["refresh_token"] for each in answers[:4]}) == 1
    assert len({good(each)["access_token"] for each in answers[:4]}) == 4


async def test_every_token_has_its_event(api: Api) -> None:
    """A token's event carries the hash of its `jti`, its scope and its audience."""
    token = await api.machine_token(scope="orders.read")
    events = await told(api.pool, "token.issued")
    assert [(e["scope"], e["aud"], e["client_id"]) for e in events] == [
        ("orders.read", [RESOURCE], "machine")
    ]
    assert claims(token["access_token"])["jti"] not in str(events)
