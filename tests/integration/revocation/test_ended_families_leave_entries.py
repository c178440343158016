from datetime import timedelta

import pytest

from revocast_contracts.lifecycle import (
    ClientDisabled,
    DenyReason,
    EndCause,
    TokenDenied,
    TokenRevoked,
    WatermarkPassed,
)
from revocast_contracts.lifetimes import ENTRY_LIFETIME, SKEW
from revocast_contracts.revocations import EntryCause, EntryState
from revocast_contracts.selectors import Selector, SelectorKind
from revocation.store import watermarks
from servicekit.postgres import Pool
from tests.support.revocation import Facts, entries, family_selector, handle


@pytest.mark.parametrize(
    "cause", [EndCause.REVOKE_ENDPOINT, EndCause.CODE_REPLAY, EndCause.CONSENT_WITHDRAWN]
)
async def test_an_ended_family_is_dead_everywhere(pool: Pool, cause: EndCause) -> None:
    """The family's entry kills its tokens whatever their iat, as long as they could live."""
    facts = Facts()
    await handle(pool, facts.ended(cause))
    (entry,) = await entries(pool)
    assert entry.selector == family_selector(facts)
    assert (entry.state, entry.cause) == (EntryState.APPLIED, EntryCause.REVOKED)
    assert (entry.not_before, entry.expires_at) == (None, facts.at + ENTRY_LIFETIME)


async def test_a_sign_out_is_one_entry_however_many_families_it_ends(pool: Pool) -> None:
    """Families of one session, ended in several batches, collapse into the session's entry."""
    facts = Facts()
    first = [facts.ended(EndCause.LOGOUT, family=f"f{number}") for number in range(20)]
    await handle(pool, *first)
    facts.at += timedelta(seconds=5)
    await handle(pool, facts.ended(EndCause.LOGOUT, family="late"))
    (entry,) = await entries(pool)
    assert entry.selector == Selector(kind=SelectorKind.SESSION, value=facts.session)
    assert entry.cause is EntryCause.LOGOUT
    assert entry.expires_at >= facts.at + ENTRY_LIFETIME


async def test_a_session_that_ends_again_much_later_is_covered_as_well(pool: Pool) -> None:
    """A family that outlived the first entry's margin gets an entry that outlasts its tokens."""
    facts = Facts()
    await handle(pool, facts.ended(EndCause.LOGOUT))
    facts.at += timedelta(minutes=5)
    await handle(pool, facts.ended(EndCause.LOGOUT, family="late"))
    first, second = await entries(pool)
    assert second.entry_id != first.entry_id
    assert second.expires_at >= facts.at + ENTRY_LIFETIME


async def test_a_revoked_token_is_dead_until_it_would_have_expired(pool: Pool) -> None:
    """A revoked access token's entry lasts as long as the token, and the clocks' skew."""
    facts = Facts()
    expires_at = facts.at + timedelta(minutes=3)
    revoked = TokenRevoked(
        jti_hash="a hash", sub="s", client_id="web", exp=expires_at, revoked_at=facts.at
    )
    await handle(pool, facts.received(revoked))
    (entry,) = await entries(pool)
    assert entry.selector == Selector(kind=SelectorKind.JTI, value="a hash")
    assert (entry.not_before, entry.expires_at) == (None, expires_at + SKEW)


async def test_a_disabled_client_loses_what_it_got_before(pool: Pool) -> None:
    """Each time a client is disabled, its entry kills what is no younger than that moment."""
    facts = Facts()
    again = facts.at + timedelta(minutes=2)
    for moment in (facts.at, again):
        disabled = ClientDisabled(client_id="web", disabled_at=moment, actor="an operator")
        await handle(pool, facts.received(disabled), facts.received(disabled))
    first, second = await entries(pool)
    assert first.selector == second.selector == Selector(kind=SelectorKind.CLIENT, value="web")
    assert [first.not_before, second.not_before] == [facts.at, again]
    assert second.expires_at == again + ENTRY_LIFETIME


async def test_a_refusal_says_nothing_new(pool: Pool) -> None:
    """A denied token changes nothing at the issuer, and makes no entry."""
    facts = Facts()
    denied = TokenDenied(
        family=facts.family,
        client_id="web",
        sub="s",
        presented_generation=1,
        current_generation=4,
        reason=DenyReason.ENDED,
        count=1,
    )
    await handle(pool, facts.received(denied))
    assert await pool.fetchval("SELECT count(*) FROM outbox") == 0


async def test_watermarks_are_kept_per_source_and_never_go_back(pool: Pool) -> None:
    """A watermark that is delivered again after a later one changes nothing."""
    facts = Facts()
    later = facts.at + timedelta(seconds=1)
    passed = [
        facts.received(WatermarkPassed(source=source, complete_through=moment))
        for source, moment in (("a", facts.at), ("b", facts.at), ("a", later))
    ]
    await handle(pool, *passed)
    await handle(pool, passed[0])
    async with pool.acquire() as connection:
        assert await watermarks.read(connection) == {"a": later, "b": facts.at}
