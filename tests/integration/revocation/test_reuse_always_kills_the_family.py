from dataclasses import replace

import pytest

from revocast_contracts.lifecycle import StaleClass
from revocast_contracts.lifetimes import ENTRY_LIFETIME
from revocast_contracts.revocations import EntryCause, EntryState
from revocast_contracts.signals import KillDecided, ReuseDetected
from revocast_contracts.topics import REVOCATIONS, SECURITY_SIGNALS
from revocation.domain.entries import entry_id
from servicekit.postgres import Pool
from tests.support.revocation import (
    Facts,
    correlations,
    entries,
    event_ids,
    family_selector,
    handle,
    signals,
)


async def test_a_stale_presentation_without_any_history_is_reuse(pool: Pool) -> None:
    """A service that never heard of the family still signals the reuse and kills the family."""
    facts = Facts()
    stale = facts.stale(1, 4)
    await handle(pool, stale)
    (entry,) = await entries(pool)
    assert entry.selector == family_selector(facts)
    assert (entry.state, entry.cause) == (EntryState.APPLIED, EntryCause.REUSE)
    assert entry.not_before is None
    assert entry.expires_at == facts.at + ENTRY_LIFETIME
    (reuse,) = await signals(pool, ReuseDetected)
    assert reuse.entry_id == entry.entry_id == entry_id("family", facts.family, "reuse")
    assert reuse.reuse_class is StaleClass.OLDER_GENERATION
    assert (reuse.presented_generation, reuse.current_generation) == (1, 4)
    assert reuse.evidence == (str(stale.event.id),)
    assert await signals(pool, KillDecided) == []


async def test_the_rotation_that_spent_the_token_is_evidence(pool: Pool) -> None:
    """With the family's history, the signal also names the rotation that made the token stale."""
    facts = Facts()
    started, rotated = facts.started(), facts.rotated(2)
    await handle(pool, started, rotated)
    stale = facts.stale(1, 2)
    await handle(pool, stale)
    (reuse,) = await signals(pool, ReuseDetected)
    assert reuse.reuse_class is StaleClass.LATE_PREDECESSOR
    assert reuse.evidence == (str(rotated.event.id), str(stale.event.id))


async def test_the_cause_can_be_followed_by_its_correlation_id(pool: Pool) -> None:
    """Entry and signal carry the correlation id of the request that presented the token."""
    await handle(pool, Facts().stale(1, 3, correlation_id="the request"))
    assert await correlations(pool, SECURITY_SIGNALS, ReuseDetected) == ["the request"]
    rows = await pool.fetch("SELECT correlation_id FROM outbox WHERE topic = $1", REVOCATIONS.noun)
    assert [row["correlation_id"] for row in rows] == ["the request"]


async def test_a_batch_handled_again_is_the_same_records(pool: Pool) -> None:
    """Handled twice, as by a consumer that lost its position, nothing new stands in the outbox."""
    facts, other = Facts(), Facts()
    batch = [facts.started(), facts.rotated(2), other.stale(1, 9), facts.stale(1, 2)]
    await handle(pool, *batch)
    once = await event_ids(pool)  # type: ignore[arg-type]  # a pool fetches like a connection
    first = await entries(pool)
    await handle(pool, *batch)
    assert await entries(pool) == first
    assert set(await event_ids(pool)) == set(once)  # type: ignore[arg-type]  # as above


async def test_nothing_of_a_batch_that_fails_is_kept(pool: Pool) -> None:
    """A handler's effects are its transaction's: a batch that breaks leaves nothing."""
    facts = Facts()
    broken = facts.stale(1, 2)
    broken = replace(
        broken,
        event=broken.event.model_copy(
            update={"data": broken.event.data.model_copy(update={"current_generation": 2**70})}
        ),
    )
    with pytest.raises(Exception, match="out of"):
        await handle(pool, Facts().stale(1, 3), broken)
    assert await pool.fetchval("SELECT count(*) FROM outbox") == 0
    assert await pool.fetchval("SELECT count(*) FROM entry") == 0


async def test_a_family_that_a_restored_issuer_ends_again_is_killed_for_as_long_again(
    pool: Pool,
) -> None:
    """A second end that the first entry does not outlast gets an entry of its own."""
    facts = Facts()
    await handle(pool, facts.stale(1, 2))
    facts.at += ENTRY_LIFETIME / 2
    facts.epoch = 2
    await handle(pool, facts.stale(1, 3))
    first, second = await entries(pool)
    assert first.entry_id != second.entry_id
    assert second.selector == first.selector
    assert second.expires_at == facts.at + ENTRY_LIFETIME


async def test_a_successor_given_out_for_an_older_token_is_reuse_that_we_end(pool: Pool) -> None:
    """Where a restored issuer answers a token that the stream shows as spent, we kill."""
    facts = Facts()
    await handle(pool, facts.rotated(2), facts.rotated(3), facts.rotated(4))
    facts.epoch = 2
    await handle(pool, facts.replayed(2))
    (reuse,) = await signals(pool, ReuseDetected)
    assert (reuse.presented_generation, reuse.current_generation) == (1, 4)
    (kill,) = await signals(pool, KillDecided)
    applied, pending = sorted(await entries(pool), key=lambda entry: entry.state)
    assert applied.entry_id == reuse.entry_id
    assert (pending.entry_id, pending.state) == (kill.kill_id, EntryState.PENDING)
    assert pending.selector == applied.selector == family_selector(facts)
