"""Concurrent refreshes go together; whatever happens on the way, each caller is answered."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from issuer.domain.authorization import Origin
from issuer.domain.outcomes import Minted, TryLater
from issuer.domain.refresh_token import MacKeys, parse
from issuer.store.coalescing import (
    IN_FLIGHT,
    LONGEST_WAIT_MS,
    OutcomeUnknownError,
)
from issuer.store.database_clock import STATEMENT_SECONDS, DatabaseClock
from issuer.store.families import Families
from issuer.store.rotations import Outcome, Presentation
from servicekit.postgres import Pool, create_pool
from tests.support.issuer import (
    CLIENT,
    HASH_KEY,
    KEYS,
    a_family,
    decided,
    families_on,
    present,
    rotated,
    with_grace,
)
from tests.support.locks import until_somebody_waits
from tests.support.wire import Wire, wire_to


@pytest.fixture
async def wire(issuer_database: str) -> AsyncIterator[Wire]:
    async with wire_to(issuer_database) as wire:
        yield wire


@pytest.fixture
async def far(wire: Wire) -> AsyncIterator[Families]:
    """A replica whose database is at the other end of the wire; it has asked there before."""
    pool = await create_pool(wire.dsn, size=4, application_name="far")
    far = families_on(pool)
    await rotated(far, (await a_family(far)).refresh_token)
    yield far
    wire.answers.set()
    await pool.close()


async def generation(pool: Pool, token: Minted) -> int:
    current: int = await pool.fetchval("SELECT generation FROM family WHERE id = $1", token.family)
    return current


async def until_rotated(pool: Pool, token: Minted) -> None:
    deadline = time.monotonic() + 10
    while await generation(pool, token) == 1:
        assert time.monotonic() < deadline, "it was not rotated"
        await asyncio.sleep(0.01)


async def test_two_hundred_refreshes_at_once_take_a_handful_of_commits(pool: Pool) -> None:
    """They go in batches, and every one gets its own successor."""
    commits: list[None] = []
    keys = MacKeys(KEYS, "k1")
    families = Families(pool, keys, hash_key=HASH_KEY, poke=lambda: commits.append(None))
    starts = [await a_family(families) for _ in range(200)]
    commits.clear()
    done = await asyncio.gather(*(rotated(families, start.refresh_token) for start in starts))
    assert [token.family for token in done] == [start.family for start in starts]
    assert len({token.refresh_token for token in done}) == 200
    assert len(commits) <= 10


async def test_a_caller_that_gives_up_before_take_off_spends_nothing(
    families: Families, pool: Pool
) -> None:
    """A call that is cancelled while it waits never reaches the database."""
    starts = [await a_family(families) for _ in range(3)]
    async with pool.acquire() as blocker, blocker.transaction():
        await blocker.execute("SELECT pg_advisory_xact_lock(issuing_lock())")
        calls = []
        for number, start in enumerate(starts, start=1):
            calls.append(asyncio.create_task(present(families, start.refresh_token)))
            await until_somebody_waits(pool, count=min(number, IN_FLIGHT))
        calls[2].cancel()
        await asyncio.wait(calls[2:])
    assert {type(outcome) for outcome in await asyncio.gather(*calls[:2])} == {Minted}
    assert isinstance(await present(families, (await a_family(families)).refresh_token), Minted)
    assert await generation(pool, starts[2]) == 1


async def test_a_caller_that_gives_up_in_the_air_can_ask_again(
    far: Families, wire: Wire, pool: Pool
) -> None:
    """Its rotation happened; a retry gets the same successor, and its neighbours are served."""
    start = await a_family(families_on(pool))
    wire.answers.clear()
    gone = asyncio.create_task(present(far, start.refresh_token))
    await until_rotated(pool, start)
    gone.cancel()
    wire.answers.set()
    retried = await rotated(far, start.refresh_token)
    assert await generation(pool, start) == 2
    assert retried.refresh_token == _successor(start, await _salt(pool, start))


async def test_a_connection_lost_at_the_commit_is_unknown_and_safe_to_retry(
    far: Families, wire: Wire, pool: Pool
) -> None:
    """The commit happened and its answer did not arrive: 503, and the retry gets the successor."""
    start = await a_family(families_on(pool))
    wire.answers.clear()
    asked = asyncio.create_task(present(far, start.refresh_token))
    await until_rotated(pool, start)
    await wire.cut()
    outcome = await asked
    assert isinstance(outcome, TryLater)
    assert "unknown" in outcome.detail
    wire.answers.set()
    retried = await rotated(far, start.refresh_token)
    assert retried.refresh_token == _successor(start, await _salt(pool, start))
    assert await generation(pool, start) == 2


async def test_a_statement_that_arrives_late_decides_nothing(
    far: Families, wire: Wire, pool: Pool
) -> None:
    """Its client was told 503, tried elsewhere and rotated on: its family lives."""
    near = families_on(pool)
    start = await a_family(near)
    wire.questions.clear()
    assert isinstance(await present(far, start.refresh_token), TryLater)
    second = await rotated(near, start.refresh_token)
    third = await rotated(near, second.refresh_token)
    before = wire.said
    wire.questions.set()
    async with asyncio.timeout(10):
        while wire.said == before:
            await asyncio.sleep(0.01)
    assert (await rotated(near, third.refresh_token)).family == start.family


async def test_a_clock_that_was_set_refuses_nobody_for_long(far: Families, pool: Pool) -> None:
    """What a process believes of the database's clock is forgotten when it proves wrong."""
    start = await a_family(families_on(pool))
    far.rotations.clock = DatabaseClock()
    far.rotations.clock.heard(datetime.now(UTC) - timedelta(hours=1))
    assert isinstance(await present(far, start.refresh_token), TryLater)
    assert isinstance(await present(far, start.refresh_token), Minted)


async def test_a_server_that_falls_silent_is_given_up_within_the_usual_grace(
    far: Families, wire: Wire, pool: Pool
) -> None:
    """The caller hears 503 soon enough to retry in grace, and the connection is replaced."""
    start = await a_family(families_on(pool))
    wire.answers.clear()
    loop = asyncio.get_running_loop()
    began = loop.time()
    outcome = await present(far, start.refresh_token)
    assert isinstance(outcome, TryLater)
    assert loop.time() - began < CLIENT.grace.total_seconds() / 2
    wire.answers.set()
    async with asyncio.timeout(CLIENT.grace.total_seconds() / 2):
        retried = await rotated(far, start.refresh_token)
    assert retried.refresh_token == _successor(start, await _salt(pool, start))


@pytest.mark.parametrize("poison", [{"jti_hash": "\0"}, {"grace_ms": 2**40}])
async def test_one_call_that_cannot_be_decided_spoils_no_other(
    families: Families, pool: Pool, poison: dict[str, Any]
) -> None:
    """An error before the commit is tried again one by one: only its own caller hears of it."""
    starts = [await a_family(families) for _ in range(4)]
    presentations = [_presentation(families, start) for start in starts]
    presentations[2] = replace(presentations[2], **poison)
    outcomes = await asyncio.gather(
        *map(families.rotations.rotate, presentations), return_exceptions=True
    )
    good = [outcomes[n] for n in (0, 1, 3)]
    assert [getattr(outcome, "outcome", None) for outcome in good] == [Outcome.ROTATED] * 3
    assert isinstance(outcomes[2], OutcomeUnknownError)
    assert isinstance(await present(families, starts[3].refresh_token), Minted)


async def test_who_waited_too_long_is_refused_before_anything_is_decided(
    families: Families, pool: Pool
) -> None:
    """While the database stands still, flights are given up and the queue is refused."""
    starts = [await a_family(families) for _ in range(4)]
    async with pool.acquire() as blocker, blocker.transaction():
        await blocker.execute("SELECT pg_advisory_xact_lock(issuing_lock())")
        calls = []
        for number, start in enumerate(starts, start=1):
            calls.append(asyncio.create_task(present(families, start.refresh_token)))
            await until_somebody_waits(pool, count=min(number, IN_FLIGHT))
        async with asyncio.timeout(LONGEST_WAIT_MS / 1000 + STATEMENT_SECONDS + 2):
            outcomes = await asyncio.gather(*calls)
    details = [outcome.detail for outcome in outcomes if isinstance(outcome, TryLater)]
    assert ["unknown" in detail for detail in details] == [True, False, False, False]
    assert [await generation(pool, start) for start in starts] == [1] * 4
    assert isinstance(await present(families, starts[0].refresh_token), Minted)


async def test_many_copies_of_one_token_do_not_hold_up_its_neighbours(families: Families) -> None:
    """Who comes after a burst for one family is served before that burst is over."""
    client = with_grace(60)
    hot = await a_family(families, client)
    neighbours = [await a_family(families) for _ in range(20)]
    burst = [asyncio.create_task(present(families, hot.refresh_token, client)) for _ in range(300)]
    await asyncio.sleep(0)
    await asyncio.gather(*(rotated(families, each.refresh_token) for each in neighbours))
    assert sum(call.done() for call in burst) < 100
    await asyncio.gather(*burst)


async def test_families_that_somebody_holds_stall_neither_neighbours_nor_kills(
    families: Families, pool: Pool
) -> None:
    """However many rows are locked elsewhere, others are served and the lock of kills is free."""
    held, free = [await a_family(families) for _ in range(5)], await a_family(families)
    async with pool.acquire() as blocker, blocker.transaction():
        await blocker.execute(
            "SELECT FROM family WHERE id = ANY ($1) FOR UPDATE", [one.family for one in held]
        )
        waiting = [asyncio.create_task(decided(families, one.refresh_token)) for one in held]
        async with asyncio.timeout(4 * STATEMENT_SECONDS):
            token = free.refresh_token
            for _ in range(20):
                token = (await rotated(families, token)).refresh_token
                async with pool.acquire() as kill, kill.transaction():
                    await kill.execute("SELECT pg_advisory_xact_lock(issuing_lock())")
        assert not any(call.done() for call in waiting)
    assert {type(outcome) for outcome in await asyncio.gather(*waiting)} == {Minted}


async def test_a_family_that_is_held_for_too_long_is_told_to_come_back(
    families: Families, pool: Pool
) -> None:
    """The caller is refused in time, and what it presented is still good."""
    start = await a_family(families)
    async with pool.acquire() as blocker, blocker.transaction():
        await blocker.execute("SELECT FROM family WHERE id = $1 FOR UPDATE", start.family)
        async with asyncio.timeout(LONGEST_WAIT_MS / 1000 + 2):
            assert isinstance(await present(families, start.refresh_token), TryLater)
    assert await generation(pool, start) == 1
    assert isinstance(await present(families, start.refresh_token), Minted)


async def test_nobody_is_left_waiting_when_the_pool_closes(
    issuer_database: str, pool: Pool
) -> None:
    """A shutdown in the middle of a burst answers everybody: with tokens, or with 503."""
    own = await create_pool(issuer_database, size=2, application_name="closing")
    closing = families_on(own)
    starts = [await a_family(closing) for _ in range(80)]
    calls = [asyncio.create_task(present(closing, start.refresh_token)) for start in starts * 3]
    await until_rotated(pool, starts[0])
    await own.close()
    async with asyncio.timeout(10):
        outcomes = await asyncio.gather(*calls)
    minted = {token.family for token in outcomes if isinstance(token, Minted)}
    spent = {row["id"] for row in await pool.fetch("SELECT id FROM family WHERE generation = 2")}
    assert minted == spent
    assert {type(outcome) for outcome in outcomes} <= {Minted, TryLater}


async def test_a_relay_that_cannot_be_woken_costs_nobody_an_answer(pool: Pool) -> None:
    """What goes wrong after the commit is logged, and the callers get what was decided."""

    def broken() -> None:
        raise RuntimeError("no relay here")

    start = await a_family(families_on(pool))
    families = Families(pool, MacKeys(KEYS, "k1"), hash_key=HASH_KEY, poke=broken)
    second = await rotated(families, start.refresh_token)
    async with asyncio.timeout(5):
        assert isinstance(await present(families, second.refresh_token), Minted)


async def test_callers_that_give_up_at_random_leave_one_lawful_chain(
    families: Families, pool: Pool
) -> None:
    """Cancelled at any moment, calls neither block a family nor fork its chain."""
    dice = random.Random(7)  # noqa: S311 -- not a secret
    client = with_grace(60)
    starts = [await a_family(families, client) for _ in range(8)]

    async def impatient(token: str | None) -> str | None:
        for turn in range(30):
            patience = 10 if turn % 3 == 2 else dice.choice((0, 0.001, 0.003))
            call = asyncio.create_task(present(families, token, client))
            await asyncio.wait([call], timeout=patience)
            call.cancel()
            outcome = (await asyncio.gather(call, return_exceptions=True))[0]
            if isinstance(outcome, Minted):
                token = outcome.refresh_token
        return token

    last = await asyncio.gather(*(impatient(start.refresh_token) for start in starts))
    for token in last:
        assert isinstance(await present(families, token, client), Minted)
    assert await pool.fetchval("SELECT count(*) FROM family WHERE state = 'active'") == 8
    assert families.rotations._queues == {}


async def _salt(pool: Pool, token: Minted) -> bytes:
    salt: bytes = await pool.fetchval("SELECT salt FROM family WHERE id = $1", token.family)
    return salt


def _successor(first: Minted, salt: bytes) -> str:
    assert first.family is not None
    return MacKeys(KEYS, "k1").mint("k1", first.family, 2, salt)


def _presentation(families: Families, minted: Minted) -> Presentation:
    token = parse(minted.refresh_token or "")
    assert token is not None
    return Presentation(
        token=token,
        half=families.mac_keys.half(token.key_id, token.family, token.generation),
        client_id=CLIENT.client_id,
        scope=None,
        resource=None,
        grace_ms=10_000,
        lifetime_s=600,
        idle_s=86_400,
        jti_hash="hash",
        correlation_id="test",
        origin=Origin(),
    )
