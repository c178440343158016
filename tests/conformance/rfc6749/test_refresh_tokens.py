from typing import Any

import jwt

from tests.support.issuer import a_code
from tests.support.issuer_api import (
    MACHINE_SECRET,
    OTHER_SECRET,
    SPA,
    WEB,
    Api,
    error,
    good,
)


def scope_of(tokens: dict[str, Any]) -> str:
    claims = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    scope: str = claims["scope"]
    assert scope == tokens["scope"]
    return scope


async def test_a_refresh_token_is_required(api: Api) -> None:
    """6: `refresh_token` is REQUIRED."""
    assert error(await api.token("refresh_token")) == (400, "invalid_request")


async def test_a_refresh_token_buys_new_tokens(api: Api) -> None:
    """6: If valid and authorized, the server issues an access token (5.1)."""
    tokens = await api.tokens()
    new = good(await api.token("refresh_token", refresh_token=tokens["refresh_token"]))
    assert new["access_token"] != tokens["access_token"]
    assert new["refresh_token"] != tokens["refresh_token"]


async def test_a_refresh_token_is_validated(api: Api) -> None:
    """6: The server MUST validate the refresh token."""
    token = (await api.tokens())["refresh_token"]
    head, _, mac = token.rpartition(".")
    changed = "A" if mac[0] != "A" else "B"
    for forged in (f"{head}.{changed}{mac[1:]}", token[:-1], f"{token}x", "x"):
        refused = await api.token("refresh_token", refresh_token=forged)
        assert error(refused) == (400, "invalid_grant")
    good(await api.token("refresh_token", refresh_token=token))


async def test_a_refresh_token_is_bound_to_its_client(api: Api) -> None:
    """10.4: The server MUST maintain the binding between a refresh token and its client (6)."""
    token = (await api.tokens())["refresh_token"]
    others: list[dict[str, Any]] = [
        {"auth": ("other", OTHER_SECRET)},
        {"auth": None, "client_id": "spa"},
    ]
    for other in others:
        refused = await api.token("refresh_token", refresh_token=token, **other)
        assert error(refused) == (400, "invalid_grant")
    good(await api.token("refresh_token", refresh_token=token))


async def test_a_public_clients_refresh_token_rotates(api: Api) -> None:
    """10.4: When a client can't be authenticated, the server SHOULD detect abuse otherwise."""
    code = await a_code(api.parts.families, SPA)
    assert isinstance(code, str)
    as_spa: dict[str, Any] = {"auth": None, "client_id": "spa"}
    first = good(await api.redeem(code, **as_spa))["refresh_token"]
    second = good(await api.token("refresh_token", refresh_token=first, **as_spa))["refresh_token"]
    third = good(await api.token("refresh_token", refresh_token=second, **as_spa))["refresh_token"]
    assert error(await api.token("refresh_token", refresh_token=first, **as_spa))[0] == 400
    assert error(await api.token("refresh_token", refresh_token=third, **as_spa))[0] == 400


async def test_refresh_tokens_can_not_be_made(api: Api) -> None:
    """10.4: Nobody without authority MUST be able to generate, modify or guess refresh tokens."""
    token = (await api.tokens())["refresh_token"]
    prefix, family, generation, mac = token.split(".")
    row = await api.pool.fetchrow("SELECT salt FROM family")
    assert row is not None
    for part in (prefix, f"{prefix[:-1]}2"):
        for number in (int(generation), int(generation) + 1):
            for proof in ("A" * 43, mac[::-1], row["salt"].hex()[:43]):
                forged = f"{part}.{family}.{number}.{proof}"
                refused = await api.token("refresh_token", refresh_token=forged)
                assert error(refused) == (400, "invalid_grant")
    assert (await api.pool.fetchval("SELECT state FROM family")) == "active"


async def test_the_scope_does_not_grow(api: Api) -> None:
    """6: The requested scope MUST NOT include any scope that was not originally granted."""
    token = (await api.tokens())["refresh_token"]
    grown = await api.token("refresh_token", refresh_token=token, scope="openid orders.write")
    assert error(grown) == (400, "invalid_scope")
    good(await api.token("refresh_token", refresh_token=token))


async def test_a_missing_scope_is_the_granted_one(api: Api) -> None:
    """6: If scope is omitted, it is treated as equal to what was originally granted."""
    token = (await api.tokens())["refresh_token"]
    assert scope_of(good(await api.token("refresh_token", refresh_token=token))) == (
        "openid orders.read"
    )


async def test_a_narrow_access_token_does_not_narrow_the_refresh_token(api: Api) -> None:
    """6: A new refresh token's scope MUST be identical to that of the one presented."""
    token = (await api.tokens())["refresh_token"]
    narrow = good(await api.token("refresh_token", refresh_token=token, scope="orders.read"))
    assert scope_of(narrow) == "orders.read"
    form = {"refresh_token": narrow["refresh_token"]}
    assert scope_of(good(await api.token("refresh_token", **form))) == "openid orders.read"


async def test_client_credentials_get_no_refresh_token(api: Api) -> None:
    """4.4.3: A refresh token SHOULD NOT be included."""
    answer = good(await api.token("client_credentials", auth=("machine", MACHINE_SECRET)))
    assert "refresh_token" not in answer


async def test_a_client_without_the_grant_gets_none(api: Api) -> None:
    """5.2: A client that may not use a grant is told `unauthorized_client`."""
    machine = ("machine", MACHINE_SECRET)
    refused = await api.token("refresh_token", auth=machine, refresh_token="x")
    assert error(refused) == (400, "unauthorized_client")
    assert WEB.client_id == "web"
