import httpx
import pytest

from tests.support.issuer import a_code
from tests.support.issuer_api import (
    MACHINE_SECRET,
    OTHER_SECRET,
    SECRET,
    SPA,
    Api,
    error,
    good,
)

AS_WEB = ("web", SECRET)
HINTS = ["", "access_token", "refresh_token", "something"]


async def revoke(
    api: Api, token: str, *, auth: tuple[str, str] | None = AS_WEB, **form: str
) -> httpx.Response:
    return await api.post("/revoke", {"token": token, **form}, auth=auth)


async def is_active(api: Api, token: str) -> bool:
    active: bool = (await api.introspect(token))["active"]
    return active


@pytest.mark.parametrize("hint", HINTS)
async def test_refresh_tokens_can_be_revoked(api: Api, hint: str) -> None:
    """2: Refresh tokens MUST be revocable; 2.1: a hint that is wrong MUST NOT stop the search."""
    tokens = await api.tokens()
    assert (await revoke(api, tokens["refresh_token"], token_type_hint=hint)).status_code == 200
    refused = await api.token("refresh_token", refresh_token=tokens["refresh_token"])
    assert error(refused) == (400, "invalid_grant")


@pytest.mark.parametrize("hint", HINTS)
async def test_access_tokens_can_be_revoked(api: Api, hint: str) -> None:
    """2: Access tokens SHOULD be revocable; 2.1: a hint that is wrong MUST NOT stop the search."""
    token = (await api.machine_token())["access_token"]
    other = (await api.machine_token())["access_token"]
    response = await revoke(api, token, auth=("machine", MACHINE_SECRET), token_type_hint=hint)
    assert response.status_code == 200
    assert not await is_active(api, token)
    assert await is_active(api, other)


async def test_a_refresh_token_takes_its_access_tokens_with_it(api: Api) -> None:
    """2.1: Revoking a refresh token SHOULD invalidate all access tokens of the same grant."""
    first = await api.tokens()
    second = good(await api.token("refresh_token", refresh_token=first["refresh_token"]))
    await revoke(api, second["refresh_token"])
    assert not await is_active(api, first["access_token"])
    assert not await is_active(api, second["access_token"])


async def test_an_access_token_leaves_its_refresh_token(api: Api) -> None:
    """2.1: Revoking an access token MAY leave the refresh token; ours does."""
    tokens = await api.tokens()
    await revoke(api, tokens["access_token"])
    assert not await is_active(api, tokens["access_token"])
    good(await api.token("refresh_token", refresh_token=tokens["refresh_token"]))


async def test_any_generation_revokes(api: Api) -> None:
    """2.1: The invalidation takes place at once, whichever refresh token of the grant it is."""
    first = (await api.tokens())["refresh_token"]
    second = good(await api.token("refresh_token", refresh_token=first))["refresh_token"]
    await revoke(api, first)
    assert error(await api.token("refresh_token", refresh_token=second)) == (400, "invalid_grant")


async def test_a_token_is_required(api: Api) -> None:
    """2.1: `token` is REQUIRED."""
    assert error(await api.post("/revoke", {}, auth=AS_WEB)) == (400, "invalid_request")


async def test_the_request_is_a_posted_form(api: Api) -> None:
    """2.1: The client sends a form with POST."""
    token = (await api.tokens())["refresh_token"]
    query = {"token": token}
    got = await api.http.get("/revoke", params=query, auth=httpx.BasicAuth(*AS_WEB))
    assert got.status_code == 405
    in_query = await api.http.post("/revoke", params=query, auth=httpx.BasicAuth(*AS_WEB))
    assert error(in_query) == (400, "invalid_request")
    in_json = await api.http.post("/revoke", json=query, auth=httpx.BasicAuth(*AS_WEB))
    assert error(in_json) == (400, "invalid_request")
    good(await api.token("refresh_token", refresh_token=token))


async def test_a_confidential_client_authenticates(api: Api) -> None:
    """2.1: The server first validates the client's credentials."""
    tokens = await api.tokens()
    token = tokens["refresh_token"]
    for response in (
        await revoke(api, token, auth=("web", "wrong")),
        await revoke(api, token, auth=("nobody", SECRET)),
        await revoke(api, token, auth=None),
        await revoke(api, token, auth=None, client_id="web"),
    ):
        assert error(response) == (401, "invalid_client")
    assert await is_active(api, tokens["access_token"])


async def test_a_public_client_says_its_id(api: Api) -> None:
    """2.1: A public client is bound to its tokens by its `client_id`."""
    code = await a_code(api.parts.families, SPA)
    assert isinstance(code, str)
    tokens = good(await api.redeem(code, auth=None, client_id="spa"))
    response = await revoke(api, tokens["refresh_token"], auth=None, client_id="spa")
    assert response.status_code == 200
    assert not await is_active(api, tokens["access_token"])


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_another_clients_token_is_refused(api: Api, kind: str) -> None:
    """2.1: A token of another client is refused, the client is told, and nothing is revoked."""
    tokens = await api.tokens()
    for response in (
        await revoke(api, tokens[kind], auth=("other", OTHER_SECRET)),
        await revoke(api, tokens[kind], auth=None, client_id="spa"),
    ):
        assert error(response) == (400, "invalid_grant")
    assert await is_active(api, tokens["access_token"])
    good(await api.token("refresh_token", refresh_token=tokens["refresh_token"]))


@pytest.mark.parametrize("token", ["x", "a.b.c", "rvc_rt_x", "rvc_code_x", "é"])
async def test_an_unknown_token_is_no_error(api: Api, token: str) -> None:
    """2.2: The server answers 200 if the token was revoked, or if it was invalid already."""
    response = await revoke(api, token)
    assert (response.status_code, response.content) == (200, b"")


async def test_revoking_twice_is_no_error(api: Api) -> None:
    """2.2: A token that is revoked already is an invalid one: 200."""
    tokens = await api.tokens()
    for kind in ("access_token", "refresh_token"):
        for _ in range(2):
            assert (await revoke(api, tokens[kind])).status_code == 200


async def test_an_id_token_is_of_an_unsupported_type(api: Api) -> None:
    """2.2.1: A token that can't be revoked because of its kind is `unsupported_token_type`."""
    response = await revoke(api, (await api.tokens())["id_token"])
    assert error(response) == (400, "unsupported_token_type")


async def test_a_revocation_is_told(api: Api) -> None:
    """2.1: Other systems learn of a revocation: each has its event, and a repeat has none."""
    tokens = await api.tokens()
    for kind in ("access_token", "access_token", "refresh_token", "refresh_token"):
        await revoke(api, tokens[kind])
    types = await api.pool.fetch("SELECT type FROM outbox WHERE topic = 'token-lifecycle'")
    assert sorted(row["type"] for row in types) == [
        "revocast.family.ended.v1",
        "revocast.token.issued.v1",
        "revocast.token.revoked.v1",
    ]


async def test_scripts_may_revoke(api: Api) -> None:
    """2.3: The server MAY let scripts of other origins revoke; ours lets them (CORS)."""
    response = await api.http.post("/revoke", headers={"origin": "https://app.example"})
    assert response.headers["access-control-allow-origin"] == "*"
