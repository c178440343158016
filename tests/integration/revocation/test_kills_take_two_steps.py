import asyncio
from datetime import timedelta

import pytest

from revocast_contracts.lifetimes import ENTRY_LIFETIME, PENDING_RESENT
from revocast_contracts.revocations import EntryCause, EntryState
from revocast_contracts.selectors import Selector, SelectorKind, subject_hash
from revocast_contracts.signals import KillCompleted, KillDecided
from revocast_contracts.topics import SECURITY_SIGNALS
from revocation.store.kills import Kill
from revocation.usecases.decide_kill import KeyReused, KillRequest, decide_kill
from revocation.usecases.tend_entries import forget, resend_pending
from revocation.usecases.wait_for_kill import Completions
from servicekit.postgres import Pool, transaction
from tests.support.revocation import (
    HASH_KEY,
    Facts,
    correlations,
    entries,
    handle,
    signals,
)

SUBJECT = Selector(kind=SelectorKind.SUBJECT, value="somebody")
HASHED = Selector(kind=SelectorKind.SUBJECT, value=subject_hash("somebody", HASH_KEY))


async def decide(
    pool: Pool, selector: Selector = SUBJECT, *, key: str | None = None, reason: str = "a theft"
) -> Kill | KeyReused:
    request = KillRequest(
        selector=selector,
        reason=reason,
        actor="an operator",
        idempotency_key=key,
        correlation_id="the request",
    )
    return await decide_kill(pool, request, hash_key=HASH_KEY, poke=lambda: None)


async def decided(pool: Pool, selector: Selector = SUBJECT) -> Kill:
    kill = await decide(pool, selector)
    assert isinstance(kill, Kill)
    return kill


async def test_a_decision_kills_at_once_and_names_nobody_in_public(pool: Pool) -> None:
    """The pending entry has the subject's hash and no reason; the signal tells who and why."""
    kill = await decided(pool)
    (entry,) = await entries(pool)
    assert (entry.entry_id, entry.selector, entry.state) == (kill.id, HASHED, EntryState.PENDING)
    assert entry.not_before is None
    (signal,) = await signals(pool, KillDecided)
    assert (signal.kill_id, signal.selector) == (kill.id, SUBJECT)
    assert (signal.actor, signal.reason, signal.cause) == ("an operator", "a theft", "operator")


@pytest.mark.parametrize(
    ("kind", "has_not_before"),
    [
        (SelectorKind.SUBJECT, True),
        (SelectorKind.CLIENT, True),
        (SelectorKind.ISSUER, True),
        (SelectorKind.FAMILY, False),
        (SelectorKind.SESSION, False),
        (SelectorKind.JTI, False),
    ],
)
async def test_the_issuers_answer_fixes_the_entry(
    pool: Pool, kind: SelectorKind, *, has_not_before: bool
) -> None:
    """Applied, it kills what is no younger than `applied_at`, or everything of what cannot live."""
    kill = await decided(pool, Selector(kind=kind, value="x"))
    (pending,) = await entries(pool)
    facts = Facts()
    at = facts.at + timedelta(seconds=1)
    await handle(pool, facts.applied(kill.id, pending.selector, at))
    _, applied = await entries(pool)
    assert applied.state is EntryState.APPLIED
    assert applied.not_before == (at if has_not_before else None)
    assert applied.expires_at == at + ENTRY_LIFETIME
    (done,) = await signals(pool, KillCompleted)
    assert (done.kill_id, done.applied_at) == (kill.id, at)
    assert await correlations(pool, SECURITY_SIGNALS, KillCompleted) == ["the request"]


async def test_a_second_answer_changes_nothing(pool: Pool) -> None:
    """A later `kill.applied` of the same id neither moves the entry nor completes it again."""
    kill = await decided(pool)
    facts = Facts()
    await handle(pool, facts.applied(kill.id, HASHED), facts.applied(kill.id, HASHED))
    before = await pool.fetchval("SELECT count(*) FROM outbox")
    await handle(pool, facts.applied(kill.id, HASHED, facts.at + timedelta(minutes=1)))
    assert await pool.fetchval("SELECT count(*) FROM outbox") == before
    assert await pool.fetchval("SELECT applied_at FROM kill") == facts.at


async def test_a_kill_that_this_database_forgot_still_gets_its_entry(pool: Pool) -> None:
    """After a restore the issuer may answer an unknown kill: its entry is made from the answer."""
    facts = Facts()
    await handle(pool, facts.applied("forgotten", HASHED))
    (entry,) = await entries(pool)
    assert (entry.entry_id, entry.state) == ("forgotten", EntryState.APPLIED)
    assert (entry.not_before, entry.cause) == (facts.at, EntryCause.KILL)


async def test_equal_keys_at_the_same_time_are_one_kill(pool: Pool) -> None:
    """However many requests with one key race, one kill is decided and all get it."""
    kills = await asyncio.gather(*(decide(pool, key="k") for _ in range(8)))
    assert all(isinstance(kill, Kill) for kill in kills)
    assert len({kill.id for kill in kills if isinstance(kill, Kill)}) == 1
    assert len(await entries(pool)) == 1
    assert len(await signals(pool, KillDecided)) == 1


async def test_a_key_belongs_to_one_request(pool: Pool) -> None:
    """The same key with another body is refused and decides nothing."""
    await decide(pool, key="k")
    assert await decide(pool, key="k", reason="another") == KeyReused()
    assert len(await signals(pool, KillDecided)) == 1


async def test_a_pending_entry_is_sent_again_until_it_is_applied(pool: Pool) -> None:
    """Each resend has a later expiry; an applied entry is left alone."""
    kill = await decided(pool)
    assert await resend_pending(pool, poke=lambda: None) == 0
    await _older(pool, PENDING_RESENT)
    assert await resend_pending(pool, poke=lambda: None) == 1
    first, again = await entries(pool)
    assert again.expires_at > first.expires_at
    assert again.model_copy(update={"expires_at": first.expires_at}) == first
    await handle(pool, Facts().applied(kill.id, HASHED))
    await _older(pool, PENDING_RESENT)
    assert await resend_pending(pool, poke=lambda: None) == 0


async def test_a_resend_never_follows_the_answer(pool: Pool) -> None:
    """Resending and completing at the same time, the applied entry is the last of its key."""
    kills = [await decided(pool) for _ in range(20)]
    await _older(pool, PENDING_RESENT)
    facts = Facts()
    answers = [facts.applied(kill.id, HASHED) for kill in kills]
    async with asyncio.TaskGroup() as group:
        group.create_task(handle(pool, *answers[:10]))
        group.create_task(resend_pending(pool, poke=lambda: None))
        group.create_task(handle(pool, *answers[10:]))
    last = {entry.entry_id: entry.state for entry in await entries(pool)}
    assert last == {kill.id: EntryState.APPLIED for kill in kills}


async def test_one_replica_resends(pool: Pool) -> None:
    """While another transaction does the upkeep, this one does none."""
    await decided(pool)
    await _older(pool, PENDING_RESENT)
    sent = await asyncio.gather(*(resend_pending(pool, poke=lambda: None) for _ in range(4)))
    assert sum(sent) == 1


async def test_expired_rows_are_forgotten_and_pending_ones_are_not(pool: Pool) -> None:
    """Upkeep deletes applied entries that nobody needs, never one that waits for the issuer."""
    await decided(pool)
    await handle(pool, Facts().stale(1, 2))
    await pool.execute("UPDATE entry SET expires_at = clock_timestamp() - interval '1 hour'")
    await forget(pool)
    rows = await pool.fetch("SELECT state FROM entry")
    assert [row["state"] for row in rows] == ["pending"]


async def test_lineages_of_dead_and_silent_families_are_forgotten(pool: Pool) -> None:
    """What ended yesterday or fell silent a month ago goes; a family in use stays."""
    ended, silent, living = Facts(), Facts(), Facts()
    await handle(pool, ended.stale(1, 2), silent.rotated(2), living.rotated(2))
    for facts, age in ((ended, timedelta(days=2)), (silent, timedelta(days=31))):
        await pool.execute(
            "UPDATE lineage SET seen_at = clock_timestamp() - $2::interval WHERE family = $1",
            facts.family,
            age,
        )
    await forget(pool)
    rows = await pool.fetch("SELECT family FROM lineage")
    assert [row["family"] for row in rows] == [living.family]


async def test_whoever_waits_is_told_of_another_replicas_completion(pool: Pool) -> None:
    """A waiter without a wake-up in its own process finds the completed row by itself."""
    kill = await decided(pool)
    waiting = asyncio.create_task(Completions().wait(pool, kill, seconds=30))
    facts = Facts()
    await handle(pool, facts.applied(kill.id, HASHED))
    assert (await waiting).applied_at == facts.at


async def test_waiting_is_bounded(pool: Pool) -> None:
    """A kill that nobody applies is returned as it was."""
    kill = await decided(pool)
    assert await Completions().wait(pool, kill, seconds=0.05) == kill


async def _older(pool: Pool, age: timedelta) -> None:
    async with transaction(pool) as connection:
        await connection.execute("UPDATE entry SET sent_at = sent_at - $1::interval", age)
