"""The database's clock goes back, as at a fail-over to a machine that is behind: no kill misses.

A clock can't be turned here, so everything that is stored is moved into the future: the same thing.
"""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from issuer.domain.authorization import Origin
from issuer.domain.outcomes import Minted, Refused, TryLater
from issuer.store import clients
from issuer.store.families import Families, end_session_families
from issuer.usecases.clients import disable_client, enable_client
from issuer.usecases.issue_for_client import issue_for_client
from revocast_contracts.selectors import SelectorKind, subject_hash
from servicekit.postgres import Pool, transaction
from tests.support.guard_view import GuardView
from tests.support.issuer import (
    CLIENT,
    HASH_KEY,
    RESOURCE,
    a_code,
    a_family,
    a_session,
    events_of,
    present,
    redeem,
    rotated,
)

BACK = timedelta(seconds=7)
TIMES = {
    "family": ("started_at", "rotated_at", "auth_time", "idle_expires_at", "absolute_expires_at"),
    "authorization_code": ("issued_at", "expires_at", "auth_time"),
    "cut": ("applied_at", "answered_at"),
    "outbox": ("occurred_at",),
}


async def turn_clock_back(pool: Pool) -> None:
    for table, columns in TIMES.items():
        moved = ", ".join(f"{column} = {column} + $1" for column in columns)
        await pool.execute(f"UPDATE {table} SET {moved}", BACK)  # noqa: S608 -- constants


def seen_after(token: Minted) -> Minted:
    """A token from before the clock went back, as it looks on the new clock."""
    return replace(token, issued_at=token.issued_at + BACK, expires_at=token.expires_at + BACK)


async def machine(families: Families) -> object:
    return await issue_for_client(
        families,
        CLIENT,
        scope=frozenset({"orders.read"}),
        resource=RESOURCE,
        origin=Origin(),
        correlation_id="test",
    )


@pytest.mark.parametrize("kind", [SelectorKind.SUBJECT, SelectorKind.CLIENT])
async def test_a_kill_reaches_what_was_issued_on_the_later_clock(
    families: Families, pool: Pool, kind: SelectorKind
) -> None:
    """Families and tokens whose times lie in the future now are no younger than the kill."""
    view = GuardView(families)
    session = a_session()
    first = await a_family(families, session=session)
    second = await rotated(families, first.refresh_token)
    own = await machine(families)
    assert isinstance(own, Minted)
    killed = {
        SelectorKind.SUBJECT: subject_hash(first.subject, HASH_KEY),
        SelectorKind.CLIENT: CLIENT.client_id,
    }
    code = await a_code(families, session=session)
    await turn_clock_back(pool)
    await view.kill(kind, killed[kind])
    assert isinstance(await present(families, second.refresh_token), Refused)
    assert isinstance(await redeem(families, str(code)), Refused)
    tokens = [first, second, *([own] if kind is SelectorKind.CLIENT else [])]
    for token in map(seen_after, tokens):
        assert not view.accepts(token)
        assert not await view.issuer_accepts(token)


async def test_enabling_a_client_on_the_earlier_clock_revives_nothing(
    families: Families, pool: Pool
) -> None:
    """What was dead when it was switched off stays dead, though now is earlier than then."""
    async with transaction(pool) as connection:
        await clients.add(connection, CLIENT)
    first = await a_family(families)
    await disable_client(pool, CLIENT.client_id, actor="test", correlation_id="test")
    await turn_clock_back(pool)
    await enable_client(pool, CLIENT.client_id, actor="test", correlation_id="test")
    assert isinstance(await present(families, first.refresh_token), Refused)


async def test_a_sign_out_on_the_earlier_clock_ends_codes_and_families(
    families: Families, pool: Pool
) -> None:
    """Its code is dead at once, and its end is no earlier than its last token."""
    session = a_session()
    second = await rotated(families, (await a_family(families, session=session)).refresh_token)
    code = await a_code(families, session=session)
    await turn_clock_back(pool)
    async with transaction(pool) as connection:
        await end_session_families(
            connection,
            session.session_id,
            cause="logout",
            origin=Origin(),
            correlation_id="test",
        )
    assert isinstance(await redeem(families, str(code)), Refused)
    assert isinstance(await present(families, second.refresh_token), Refused)
    ended_at = await pool.fetchval("SELECT ended_at FROM family WHERE id = $1", second.family)
    assert ended_at >= seen_after(second).issued_at


async def test_reuse_on_the_earlier_clock_ends_no_earlier_than_the_last_token(
    families: Families, pool: Pool
) -> None:
    """The entry that follows must outlive every token of the family."""
    first = await a_family(families)
    third = await rotated(families, (await rotated(families, first.refresh_token)).refresh_token)
    await turn_clock_back(pool)
    assert isinstance(await present(families, first.refresh_token), Refused)
    ended_at = await pool.fetchval("SELECT ended_at FROM family WHERE id = $1", first.family)
    assert ended_at >= seen_after(third).issued_at
    name, data = (await events_of(pool, first.family))[-1]
    assert (name, data["age_ms"]) == ("token.presented_stale", 0)


async def test_nobody_is_logged_out_by_the_clock(families: Families, pool: Pool) -> None:
    """A retry stays within grace, and the current token goes on."""
    first = await a_family(families)
    second = await rotated(families, first.refresh_token)
    await turn_clock_back(pool)
    assert (await rotated(families, first.refresh_token)).refresh_token == second.refresh_token
    assert isinstance(await present(families, second.refresh_token), Minted)


async def test_no_request_is_held_until_the_clock_has_caught_up(
    families: Families, pool: Pool
) -> None:
    """Behind a kill on the later clock, issuing answers 503 at once, and 200 once it is past."""
    view = GuardView(families)
    await view.kill(SelectorKind.CLIENT, CLIENT.client_id)
    code = await a_code(families, session=a_session())
    await turn_clock_back(pool)
    async with asyncio.timeout(BACK.total_seconds() / 2):
        assert isinstance(await machine(families), TryLater)
        assert isinstance(await redeem(families, str(code)), TryLater)
    await pool.execute("UPDATE cut SET applied_at = applied_at - $1::interval", 2 * BACK)
    assert isinstance(await machine(families), Minted)
