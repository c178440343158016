import httpx
import pytest

from tests.support.issuer import a_code
from tests.support.issuer_api import MACHINE_SECRET, SECRET, WEB, Api, error, good
from tests.support.issuer_pages import Visitor

AS_MACHINE = ("machine", MACHINE_SECRET)


async def test_post_is_required(api: Api) -> None:
    """3.2: The client MUST use POST for access token requests."""
    query = {"grant_type": "client_credentials"}
    response = await api.http.get("/token", params=query, auth=httpx.BasicAuth(*AS_MACHINE))
    assert response.status_code == 405


async def test_parameters_without_a_value_are_omitted(api: Api) -> None:
    """3.2: Parameters sent without a value MUST be treated as if they were omitted."""
    answer = good(await api.token("client_credentials", auth=AS_MACHINE, scope="", resource=""))
    assert answer["scope"] == "orders.read orders.write"
    assert error(await api.token("", auth=AS_MACHINE)) == (400, "invalid_request")


async def test_unknown_parameters_are_ignored(api: Api) -> None:
    """3.2: The server MUST ignore unrecognized request parameters."""
    good(await api.token("client_credentials", auth=AS_MACHINE, something="else"))


@pytest.mark.parametrize("name", ["grant_type", "scope", "unknown"])
async def test_parameters_come_once(api: Api, name: str) -> None:
    """3.2: Request parameters MUST NOT be included more than once."""
    response = await api.http.post(
        "/token",
        content=f"grant_type=client_credentials&scope=orders.read&unknown=1&{name}=orders.read",
        headers={"content-type": "application/x-www-form-urlencoded"},
        auth=httpx.BasicAuth(*AS_MACHINE),
    )
    assert error(response) == (400, "invalid_request")


async def test_a_grant_type_is_required(api: Api) -> None:
    """4.1.3: `grant_type` is REQUIRED; without it the request is invalid."""
    response = await api.post("/token", {"scope": "orders.read"}, auth=AS_MACHINE)
    assert error(response) == (400, "invalid_request")


@pytest.mark.parametrize("grant_type", ["password", "implicit", "urn:x", "Client_Credentials"])
async def test_an_unknown_grant_is_refused(api: Api, grant_type: str) -> None:
    """5.2: A grant type that the server does not know is `unsupported_grant_type`."""
    assert error(await api.token(grant_type)) == (400, "unsupported_grant_type")


async def test_answers_are_not_stored(api: Api) -> None:
    """5.1: Answers with tokens MUST carry `Cache-Control: no-store` and `Pragma: no-cache`."""
    for auth in (AS_MACHINE, ("machine", "wrong")):
        response = await api.token("client_credentials", auth=auth)
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["pragma"] == "no-cache"


async def test_an_answer_has_what_is_required(api: Api) -> None:
    """5.1: `access_token` and `token_type` are REQUIRED, in JSON with status 200."""
    response = await api.token("client_credentials", auth=AS_MACHINE)
    answer = good(response)
    assert response.headers["content-type"] == "application/json"
    assert answer["token_type"].lower() == "bearer"
    assert isinstance(answer["access_token"], str)
    assert isinstance(answer["expires_in"], int)


async def test_a_scope_that_differs_is_told(api: Api, alice: Visitor) -> None:
    """3.3: If the issued scope differs from the requested one, `scope` MUST be in the answer."""
    code = await alice.allow(scope="openid orders.read not.for.this.client")
    assert good(await api.redeem(code))["scope"] == "openid orders.read"


async def test_a_client_without_scope_gets_its_default(api: Api) -> None:
    """3.3: Without a scope the server MUST use a default or refuse; ours is all it may have."""
    answer = good(await api.token("client_credentials", auth=AS_MACHINE))
    assert answer["scope"] == "orders.read orders.write"


@pytest.mark.parametrize("scope", ["admin", "orders.read admin", 'a"b', "a  b", "é"])
async def test_a_scope_it_may_not_have_is_refused(api: Api, scope: str) -> None:
    """5.2: A scope that is malformed or exceeds what may be granted is `invalid_scope`."""
    response = await api.token("client_credentials", auth=AS_MACHINE, scope=scope)
    assert error(response) == (400, "invalid_scope")


async def test_errors_are_400_and_json(api: Api) -> None:
    """5.2: Errors are 400 unless said otherwise, with `error` REQUIRED and in plain ASCII."""
    answers = [
        await api.token("refresh_token", refresh_token="x"),
        await api.token("nothing"),
        await api.token("authorization_code"),
        await api.token("client_credentials", auth=AS_MACHINE, scope="admin"),
        await api.token("client_credentials", auth=("web", SECRET), resource="x"),
    ]
    for response in answers:
        assert error(response)[0] == 400
        for text in response.json().values():
            assert all(" " <= each <= "~" and each not in '"\\' for each in text)


async def test_access_tokens_can_not_be_guessed(api: Api) -> None:
    """10.10: Access tokens MUST NOT be guessable: each has 128 random bits, under a signature."""
    code = await a_code(api.parts.families, WEB)
    assert isinstance(code, str)
    first = good(await api.redeem(code))["access_token"]
    head, payload, signature = first.split(".")
    changed = ("A" if signature[0] != "A" else "B") + signature[1:]
    assert await api.introspect(f"{head}.{payload}.{changed}") == {"active": False}
    assert (await api.introspect(first))["active"] is True
