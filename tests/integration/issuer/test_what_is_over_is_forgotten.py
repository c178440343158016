"""Codes, families and cuts leave when they can't matter any more, and not an hour before."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from issuer.domain.outcomes import Minted, Refused
from issuer.domain.registration import LONGEST_REFRESH_LIFETIME
from issuer.store import cuts, upkeep
from issuer.store.families import Families
from issuer.usecases import forget_expired as housekeeping
from issuer.usecases.forget_expired import forget_expired
from issuer.usecases.passwords import Passwords
from issuer.usecases.people import People
from revocast_contracts.selectors import Selector, SelectorKind
from servicekit.postgres import Pool, transaction
from tests.support.issuer import (
    CLIENT,
    HASH_KEY,
    a_code,
    a_family,
    events_of,
    present,
    redeem,
    rotated,
)

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def people(pool: Pool) -> People:
    passwords = Passwords()
    passwords.close()
    return People(pool=pool, passwords=passwords, hash_key=HASH_KEY, poke=lambda: None)


async def age(pool: Pool, table: str, by: timedelta) -> None:
    """Everything in a table happened so much earlier."""
    columns = {
        "authorization_code": ("issued_at", "expires_at", "redeemed_at"),
        "family": ("started_at", "rotated_at", "idle_expires_at", "absolute_expires_at"),
        "cut": ("applied_at", "answered_at"),
    }[table]
    moved = ", ".join(f"{column} = {column} - $1::interval" for column in columns)
    await pool.execute(f"UPDATE {table} SET {moved}", by)  # noqa: S608 -- constants


async def test_a_code_is_known_for_a_day(families: Families, pool: Pool, people: People) -> None:
    """Until then its replay still ends the family that it started; later it is a guess."""
    code = str(await a_code(families))
    minted = await redeem(families, code)
    assert isinstance(minted, Minted)
    await age(pool, "authorization_code", DAY - HOUR)
    assert await forget_expired(people) == 0
    assert isinstance(await redeem(families, code), Refused)
    assert (await events_of(pool, minted.family))[-1][1]["cause"] == "code_replay"
    await age(pool, "authorization_code", 2 * HOUR)
    assert await forget_expired(people) == 1
    unknown = await redeem(families, code)
    assert isinstance(unknown, Refused)
    assert unknown.guessed


async def test_a_family_is_known_for_a_day_after_its_absolute_expiry(
    families: Families, pool: Pool, people: People
) -> None:
    """Until then reuse of any of its tokens is told from a guess, ended or not."""
    first = await a_family(families)
    await rotated(families, (await rotated(families, first.refresh_token)).refresh_token)
    lives = CLIENT.refresh_absolute_lifetime
    await age(pool, "family", lives - HOUR)
    await pool.execute("UPDATE family SET idle_expires_at = absolute_expires_at")
    await age(pool, "authorization_code", timedelta(hours=1))
    assert isinstance(await present(families, first.refresh_token), Refused)
    assert (await events_of(pool, first.family))[-1][0] == "token.presented_stale"
    await age(pool, "family", DAY)
    assert await forget_expired(people) == 0
    assert not _guessed(await present(families, first.refresh_token))
    await age(pool, "family", 2 * HOUR)
    assert await forget_expired(people) == 1
    assert _guessed(await present(families, first.refresh_token))


async def test_a_cut_outlives_every_family_that_it_ends(pool: Pool, people: People) -> None:
    """A kill is forgotten a day after the longest-lived family of its time; a disabling never."""
    await _cut(pool, "kill", SelectorKind.CLIENT, lasting=False)
    await _cut(pool, "disabled", SelectorKind.CLIENT, lasting=True)
    await age(pool, "cut", LONGEST_REFRESH_LIFETIME + DAY - HOUR)
    assert await forget_expired(people) == 0
    await age(pool, "cut", 2 * HOUR)
    assert await forget_expired(people) == 1
    assert await pool.fetchval("SELECT kill_id FROM cut") == "disabled"


async def test_the_cut_of_one_token_goes_when_the_token_has_expired(
    pool: Pool, people: People
) -> None:
    """It is kept while the log of revocations could ask for it again, and a day longer."""
    await _cut(pool, "token", SelectorKind.JTI, lasting=False)
    await _cut(pool, "family", SelectorKind.FAMILY, lasting=False)
    await age(pool, "cut", DAY)
    assert await forget_expired(people) == 0
    await age(pool, "cut", 2 * HOUR)
    assert await forget_expired(people) == 1
    assert await pool.fetchval("SELECT kill_id FROM cut") == "family"


async def test_replicas_share_the_work_and_wait_for_nobody(
    families: Families, pool: Pool, people: People
) -> None:
    """At once on several replicas each row is deleted once; one that is held stays for later."""
    held = await a_family(families)
    rows = 2 * housekeeping.BATCH + 10
    await pool.execute(
        """
        INSERT INTO family (id, client_id, subject, subject_hash, session_id, shard, salt, key_id,
            rotated_at, scope, resource, auth_time, acr, started_at, idle_expires_at,
            absolute_expires_at)
        SELECT gen_random_uuid(), client_id, subject, subject_hash, session_id, shard, salt, key_id,
            rotated_at, scope, resource, auth_time, acr, started_at, idle_expires_at,
            absolute_expires_at
        FROM family, generate_series(1, $1)
        """,
        rows,
    )
    await age(pool, "family", CLIENT.refresh_absolute_lifetime + 2 * DAY)
    async with transaction(pool) as holder:
        await holder.execute("SELECT FROM family WHERE id = $1 FOR UPDATE", held.family)
        async with asyncio.timeout(20):
            deleted = await asyncio.gather(*(forget_expired(people) for _ in range(3)))
    assert sum(deleted) == rows
    left: UUID = await pool.fetchval("SELECT id FROM family")
    assert left == held.family
    assert await forget_expired(people) == 1


async def test_the_services_own_role_may_delete(families: Families, pool: Pool) -> None:
    """The role that the issuer logs in as has every right that housekeeping needs."""
    await a_family(families)
    await age(pool, "family", CLIENT.refresh_absolute_lifetime + 2 * DAY)
    await age(pool, "authorization_code", 2 * DAY)
    await _cut(pool, "token", SelectorKind.JTI, lasting=False)
    await age(pool, "cut", 2 * DAY)
    async with transaction(pool) as connection:
        await connection.execute("SET LOCAL ROLE revocast_issuer")
        assert [
            await deletion(connection, limit=10)
            for deletion in (
                upkeep.delete_old_codes,
                upkeep.delete_dead_families,
                upkeep.delete_old_token_cuts,
                upkeep.delete_old_cuts,
            )
        ] == [1, 1, 1, 0]


async def _cut(pool: Pool, kill_id: str, kind: SelectorKind, *, lasting: bool) -> None:
    selector = Selector(kind=kind, value="a-value")
    async with transaction(pool) as connection:
        await cuts.cut(connection, kill_id=kill_id, selector=selector, lasting=lasting)


def _guessed(outcome: object) -> bool:
    assert isinstance(outcome, Refused)
    return outcome.guessed
