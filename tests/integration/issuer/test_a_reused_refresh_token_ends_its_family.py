"""Promise 2, the issuer's half: nothing is minted after the commit that ended the family."""

from dataclasses import replace

import pytest

from issuer.domain.outcomes import Minted, Refused
from issuer.store.families import Families
from servicekit.postgres import Pool
from tests.support.issuer import CLIENT, a_family, events_of, present, rotated, with_grace


async def test_an_older_generation_ends_the_family(families: Families, pool: Pool) -> None:
    """A token two generations old is refused, and so is the current one from then on."""
    first = await a_family(families)
    second = await rotated(families, first.refresh_token)
    third = await rotated(families, second.refresh_token)
    assert isinstance(await present(families, first.refresh_token), Refused)
    assert isinstance(await present(families, third.refresh_token), Refused)
    events = await events_of(pool, first.family)
    name, data = events[3]
    assert name == "token.presented_stale"
    assert data["stale_class"] == "older_generation"
    assert (data["presented_generation"], data["current_generation"]) == (1, 3)
    assert await pool.fetchval("SELECT cause FROM family WHERE id = $1", first.family) == "reuse"


async def test_without_grace_the_predecessor_ends_the_family(
    families: Families, pool: Pool
) -> None:
    """A client that set grace to zero has no retry: its predecessor is reuse at once."""
    client = with_grace(0)
    first = await a_family(families, client)
    second = await rotated(families, first.refresh_token, client)
    assert isinstance(await present(families, first.refresh_token, client), Refused)
    assert isinstance(await present(families, second.refresh_token, client), Refused)
    stale = [data for name, data in await events_of(pool, first.family) if "stale" in name]
    assert [data["stale_class"] for data in stale] == ["late_predecessor"]


async def test_the_ending_survives_the_refusal(families: Families, pool: Pool) -> None:
    """The refusal's effect is committed: another connection sees the family ended."""
    first = await a_family(families, with_grace(0))
    await rotated(families, first.refresh_token, with_grace(0))
    await present(families, first.refresh_token, with_grace(0))
    assert await pool.fetchval("SELECT state FROM family WHERE id = $1", first.family) == "ended"


async def test_denials_of_a_dead_family_are_told_once_a_minute_with_a_count(
    families: Families, pool: Pool
) -> None:
    """Hammering a dead family writes one event, and the next minute's carries the count."""
    first = await a_family(families, with_grace(0))
    await rotated(families, first.refresh_token, with_grace(0))
    for _ in range(5):
        await present(families, first.refresh_token, with_grace(0))
    await pool.execute("UPDATE family SET denied_at = denied_at - interval '61 seconds'")
    await present(families, first.refresh_token, with_grace(0))
    counts = [data["count"] for name, data in await events_of(pool, first.family) if "deni" in name]
    assert counts == [1, 4]


@pytest.mark.parametrize("mischief", ["other client", "forged mac", "future", "no such family"])
async def test_what_is_not_proven_changes_nothing(
    families: Families, pool: Pool, mischief: str
) -> None:
    """Nobody can end or spam a family by guessing: no effect on the row or its stream."""
    first = await a_family(families)
    token = (await rotated(families, first.refresh_token)).refresh_token or ""
    parts = token.split(".")
    client = CLIENT
    if mischief == "other client":
        client = replace(CLIENT, client_id="another")
    elif mischief == "forged mac":
        token = ".".join([*parts[:3], ("A" if parts[3][0] != "A" else "B") + parts[3][1:]])
    elif mischief == "future":
        token = ".".join([parts[0], parts[1], "7", parts[3]])
    else:
        token = ".".join([parts[0], "0" * 32, *parts[2:]])
    before = await pool.fetchrow("SELECT * FROM family WHERE id = $1", first.family)
    assert isinstance(await present(families, token, client), Refused)
    assert await pool.fetchrow("SELECT * FROM family WHERE id = $1", first.family) == before
    assert len(await events_of(pool, first.family)) == 2


async def test_a_generation_from_the_future_is_denied_not_punished(
    families: Families, pool: Pool
) -> None:
    """After a restore the row is older than the token: refused, told, and the family lives."""
    first = await a_family(families)
    second = await rotated(families, first.refresh_token)
    await pool.execute("UPDATE family SET generation = 1 WHERE id = $1", first.family)
    assert isinstance(await present(families, second.refresh_token), Refused)
    assert (await events_of(pool, first.family))[-1][1]["reason"] == "future_generation"
    assert isinstance(await present(families, first.refresh_token), Minted)


@pytest.mark.parametrize("expiry", ["idle", "absolute"])
async def test_expired_families_are_denied(families: Families, pool: Pool, expiry: str) -> None:
    """Past its idle or absolute expiry a family is dead, without being ended for reuse."""
    first = await a_family(families)
    await pool.execute(
        "UPDATE family SET"
        " idle_expires_at = CASE $1 WHEN 'idle' THEN started_at ELSE idle_expires_at END,"
        " absolute_expires_at = CASE $1 WHEN 'absolute' THEN started_at"
        " ELSE absolute_expires_at END",
        expiry,
    )
    assert isinstance(await present(families, first.refresh_token), Refused)
    assert (await events_of(pool, first.family))[-1][1]["reason"] == f"{expiry}_expired"
