import base64
from dataclasses import replace

from tests.support.issuer import REDIRECT_URI, a_code
from tests.support.issuer_api import (
    OTHER_SECRET,
    SPA,
    WEB,
    Api,
    add_clients,
    error,
    good,
)
from tests.support.issuer_pages import Visitor

PREFIX = "rvc_code_"


async def a_good_code(api: Api) -> str:
    code = await a_code(api.parts.families, WEB)
    assert isinstance(code, str)
    return code


async def test_a_code_expires_shortly(api: Api) -> None:
    """4.1.2: A code MUST expire shortly after it was issued; ours lives 60 seconds."""
    code = await a_good_code(api)
    lifetime = await api.pool.fetchval("SELECT expires_at - issued_at FROM authorization_code")
    assert lifetime.total_seconds() == 60
    await api.pool.execute("UPDATE authorization_code SET expires_at = clock_timestamp()")
    assert error(await api.redeem(code)) == (400, "invalid_grant")


async def test_a_code_is_used_once(api: Api) -> None:
    """4.1.2: The client MUST NOT use a code more than once; the server MUST deny the second use."""
    code = await a_good_code(api)
    good(await api.redeem(code))
    assert error(await api.redeem(code)) == (400, "invalid_grant")


async def test_a_replayed_code_revokes_what_it_bought(api: Api) -> None:
    """4.1.2: Tokens that were issued on a code SHOULD be revoked when it is used again."""
    code = await a_good_code(api)
    tokens = good(await api.redeem(code))
    refreshed = good(await api.token("refresh_token", refresh_token=tokens["refresh_token"]))
    assert error(await api.redeem(code)) == (400, "invalid_grant")
    form = {"refresh_token": refreshed["refresh_token"]}
    assert error(await api.token("refresh_token", **form)) == (400, "invalid_grant")
    assert await api.introspect(refreshed["access_token"]) == {"active": False}


async def test_a_code_is_bound_to_its_client(api: Api) -> None:
    """4.1.3: The server MUST ensure that the code was issued to the authenticated client, or to
    the public client of that `client_id`."""
    code = await a_good_code(api)
    assert error(await api.redeem(code, auth=("other", OTHER_SECRET))) == (400, "invalid_grant")
    assert error(await api.redeem(code, auth=None, client_id="spa")) == (400, "invalid_grant")
    public = await a_code(api.parts.families, SPA)
    assert isinstance(public, str)
    assert error(await api.redeem(public)) == (400, "invalid_grant")
    good(await api.redeem(code))


async def test_a_code_has_to_be_valid(api: Api) -> None:
    """4.1.3: The server MUST verify that the authorization code is valid."""
    code = await a_good_code(api)
    for made_up in ("x", PREFIX, f"{code}x", code[:-1], code.swapcase()):
        assert error(await api.redeem(made_up)) == (400, "invalid_grant")


async def test_the_redirect_uri_is_the_same_again(api: Api) -> None:
    """4.1.3: If the request had a redirect URI, the exchange MUST have the identical one (10.6)."""
    code = await a_good_code(api)
    for uri in (None, f"{REDIRECT_URI}/", "https://evil.example/callback"):
        assert error(await api.redeem(code, redirect_uri=uri)) == (400, "invalid_grant")
    good(await api.redeem(code))


async def test_without_a_redirect_uri_in_the_request_none_is_needed(
    api: Api, alice: Visitor
) -> None:
    """4.1.3: `redirect_uri` is REQUIRED only if it was in the authorization request."""
    await add_clients(api.pool, replace(WEB, client_id="new"))
    code = await alice.allow(client_id="new", redirect_uri=None, scope="orders.read")
    good(await api.redeem(code, auth=("new", "the secret of web"), redirect_uri=None))


async def test_a_code_is_required(api: Api) -> None:
    """4.1.3: `code` is REQUIRED."""
    response = await api.token("authorization_code", redirect_uri=REDIRECT_URI)
    assert error(response) == (400, "invalid_request")


async def test_codes_can_not_be_guessed(api: Api) -> None:
    """10.10: The probability of guessing a code MUST be at most 2^-128; ours have 256 bits."""
    codes = [(await a_good_code(api)).removeprefix(PREFIX) for _ in range(20)]
    random = [base64.urlsafe_b64decode(code + "=") for code in codes]
    assert {len(each) for each in random} == {32}
    assert len(set(random)) == 20
    for position in range(32):
        assert len({each[position] for each in random}) > 5
