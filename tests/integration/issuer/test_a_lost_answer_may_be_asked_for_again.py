"""Promise 3: within grace a retry gets the same successor, and the chain never forks."""

import pytest

from issuer.domain.outcomes import Minted, Refused, ScopeRefused, TargetRefused, TryLater
from issuer.store.families import Families
from servicekit.postgres import Pool
from tests.support.issuer import (
    a_code,
    a_family,
    events_of,
    present,
    redeem,
    rotated,
    with_grace,
)


async def test_a_retry_gets_the_same_successor_and_a_fresh_access_token(
    families: Families, pool: Pool
) -> None:
    """Same refresh token, another jti, and the idle expiry stays where the rotation put it."""
    first = await a_family(families)
    second = await rotated(families, first.refresh_token)
    idle = await pool.fetchval("SELECT idle_expires_at FROM family WHERE id = $1", first.family)
    again = await rotated(families, first.refresh_token)
    assert again.refresh_token == second.refresh_token
    assert again.jti != second.jti
    after = await pool.fetchval("SELECT idle_expires_at FROM family WHERE id = $1", first.family)
    assert after == idle


async def test_after_three_replays_the_client_is_slowed_down_not_logged_out(
    families: Families,
) -> None:
    """A burst of tabs past the third replay gets 429, and the successor still works."""
    first = await a_family(families)
    second = await rotated(families, first.refresh_token)
    for _ in range(3):
        await rotated(families, first.refresh_token)
    limited = await present(families, first.refresh_token)
    assert isinstance(limited, TryLater)
    assert limited.limited
    assert isinstance(await present(families, second.refresh_token), Minted)


async def test_using_the_successor_closes_the_window(families: Families) -> None:
    """Once the successor was used, the old token is reuse even within grace."""
    first = await a_family(families)
    second = await rotated(families, first.refresh_token)
    await rotated(families, second.refresh_token)
    assert isinstance(await present(families, first.refresh_token), Refused)


async def test_more_scope_is_refused_without_rotating(families: Families, pool: Pool) -> None:
    """A request for more than was granted, or for another API, spends nothing."""
    first = await a_family(families)
    wide = await present(families, first.refresh_token, scope=frozenset({"orders.write"}))
    other = await present(families, first.refresh_token, resource="https://other.example")
    assert isinstance(wide, ScopeRefused)
    assert isinstance(other, TargetRefused)
    assert await pool.fetchval("SELECT generation FROM family WHERE id = $1", first.family) == 1


async def test_less_scope_narrows_the_access_token_only(families: Families) -> None:
    """Narrowing is for one access token; the next refresh has the whole grant again."""
    first = await a_family(families)
    narrow = await present(families, first.refresh_token, scope=frozenset({"orders.read"}))
    assert isinstance(narrow, Minted)
    assert narrow.scope == {"orders.read"}
    assert (await rotated(families, narrow.refresh_token)).scope == {"openid", "orders.read"}


async def test_a_code_presented_again_at_once_is_refused_and_ends_nothing(
    families: Families, pool: Pool
) -> None:
    """The answer to a code may have been lost: within grace its family lives."""
    code = await a_code(families)
    assert isinstance(code, str)
    minted = await redeem(families, code)
    assert isinstance(minted, Minted)
    assert isinstance(await redeem(families, code), Refused)
    assert await pool.fetchval("SELECT state FROM family WHERE id = $1", minted.family) == "active"


async def test_a_code_presented_again_later_ends_its_family(families: Families, pool: Pool) -> None:
    """After the first refresh, or after grace, somebody else has the code."""
    for client in (with_grace(10), with_grace(0)):
        code = await a_code(families)
        assert isinstance(code, str)
        minted = await redeem(families, code, client)
        assert isinstance(minted, Minted)
        if client.grace:
            await rotated(families, minted.refresh_token, client)
        assert isinstance(await redeem(families, code, client), Refused)
        name, data = (await events_of(pool, minted.family))[-1]
        assert (name, data["cause"]) == ("family.ended", "code_replay")


@pytest.mark.parametrize(
    "wrong", [{"code_verifier": "w" * 43}, {"code_verifier": None}, {"redirect_uri": "https://x"}]
)
async def test_a_replay_that_fails_pkce_or_redirect_uri_changes_nothing(
    families: Families, pool: Pool, wrong: dict[str, str | None]
) -> None:
    """Without the verifier nobody can end a family by replaying its code."""
    code = await a_code(families)
    assert isinstance(code, str)
    minted = await redeem(families, code, with_grace(0))
    assert isinstance(minted, Minted)
    assert isinstance(await redeem(families, code, with_grace(0), **wrong), Refused)
    assert await pool.fetchval("SELECT state FROM family WHERE id = $1", minted.family) == "active"
