"""Promise 1, when the issuer's database is put back to an older state while Kafka is ahead."""

import asyncpg
import pytest

from issuer.domain.outcomes import Minted, Refused, TryLater
from tests.integration.restore.issuer_life import life, without_relay
from tests.support.issuer import CLIENT, a_code, a_family, present, redeem, rotated, with_grace
from tests.support.restores import Restorable


async def test_a_token_spent_after_the_backup_stays_spent(
    restored: Restorable, bootstrap: str
) -> None:
    """The spent token ends its family instead of buying a second successor."""
    async with life(restored.dsn, bootstrap) as before:
        first = await a_family(before.families)
    restored.back_up()
    async with life(restored.dsn, bootstrap) as before:
        second = await rotated(before.families, first.refresh_token)
        third = await rotated(before.families, second.refresh_token)
    restored.restore()
    async with without_relay(restored.dsn) as cut_off:
        assert isinstance(await present(cut_off.families, third.refresh_token), TryLater)
        assert isinstance(await present(cut_off.families, first.refresh_token), TryLater)
    async with life(restored.dsn, bootstrap) as after:
        assert isinstance(await present(after.families, first.refresh_token), Refused)
        assert isinstance(await present(after.families, third.refresh_token), Refused)


async def test_the_honest_client_goes_on_with_its_latest_token(
    restored: Restorable, bootstrap: str
) -> None:
    """The latest token from before the restore buys the next one, and its chain has one line."""
    async with life(restored.dsn, bootstrap) as before:
        first = await a_family(before.families)
    restored.back_up()
    async with life(restored.dsn, bootstrap) as before:
        second = await rotated(before.families, first.refresh_token)
        third = await rotated(before.families, second.refresh_token)
    restored.restore()
    async with life(restored.dsn, bootstrap) as after:
        fourth = await rotated(after.families, third.refresh_token)
        assert await after.pool.fetchval("SELECT generation FROM family") == 4
        again = await rotated(after.families, third.refresh_token)  # a lost answer, within grace
        assert again.refresh_token == fourth.refresh_token


async def test_a_predecessor_is_judged_by_the_real_time_of_its_rotation(
    restored: Restorable, bootstrap: str
) -> None:
    """Grace runs from the rotation that the backup does not have, not from the restore."""
    client = with_grace(0)
    async with life(restored.dsn, bootstrap) as before:
        first = await a_family(before.families, client)
    restored.back_up()
    async with life(restored.dsn, bootstrap) as before:
        second = await rotated(before.families, first.refresh_token, client)
    restored.restore()
    async with life(restored.dsn, bootstrap) as after:
        assert isinstance(await present(after.families, first.refresh_token, client), Refused)
        assert isinstance(await present(after.families, second.refresh_token, client), Refused)
        assert await after.pool.fetchval("SELECT cause FROM family") == "reuse"


async def test_a_code_redeemed_after_the_backup_is_not_redeemed_again(
    restored: Restorable, bootstrap: str
) -> None:
    """Codes from before a restore are over; the family that one started can't be refreshed."""
    async with life(restored.dsn, bootstrap) as before:
        code = await a_code(before.families)
        assert isinstance(code, str)
    restored.back_up()
    async with life(restored.dsn, bootstrap) as before:
        minted = await redeem(before.families, code)
        assert isinstance(minted, Minted)
    restored.restore()
    async with life(restored.dsn, bootstrap) as after:
        assert isinstance(await redeem(after.families, code), Refused)
        assert isinstance(await present(after.families, minted.refresh_token), Refused)


@pytest.mark.parametrize("issues", ["code", "refresh", "redemption"])
async def test_nothing_is_issued_before_the_log_was_compared(
    restored: Restorable, bootstrap: str, issues: str
) -> None:
    """The database itself refuses, whatever the process believes."""
    async with life(restored.dsn, bootstrap) as before:
        family, code = await a_family(before.families), await a_code(before.families)
        assert isinstance(code, str)
    restored.back_up()
    restored.restore()
    async with without_relay(restored.dsn) as cut_off:
        if issues == "refresh":
            assert isinstance(await present(cut_off.families, family.refresh_token), TryLater)
        elif issues == "code":
            with pytest.raises(asyncpg.CannotConnectNowError):
                await a_code(cut_off.families, CLIENT)
        else:
            with pytest.raises(asyncpg.CannotConnectNowError):
                await redeem(cut_off.families, code)
    async with life(restored.dsn, bootstrap) as after:  # no event is missing: nothing was lost
        await rotated(after.families, family.refresh_token)
