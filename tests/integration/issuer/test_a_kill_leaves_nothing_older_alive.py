"""Cuts: once a kill is applied, nothing from before is minted, under any storm."""

import asyncio
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from issuer.domain.authorization import Origin
from issuer.domain.outcomes import Minted, Refused
from issuer.store import cuts
from issuer.store.families import Families, end_session_families
from issuer.usecases.issue_for_client import issue_for_client
from revocast_contracts.selectors import Selector, SelectorKind, subject_hash
from servicekit.postgres import Pool, transaction
from tests.support.issuer import (
    CLIENT,
    HASH_KEY,
    RESOURCE,
    a_code,
    a_family,
    a_session,
    decided,
    families_on,
    present,
    redeem,
)


async def kill(pool: Pool, selector: Selector, kill_id: str = "kill-1") -> datetime:
    async with transaction(pool) as connection:
        return await cuts.apply_kill(
            connection, kill_id=kill_id, selector=selector, correlation_id="test"
        )


async def test_no_storm_mints_from_before_an_applied_kill(pool: Pool) -> None:
    """Refreshes and code exchanges race a kill of their subject; none is minted after its cut."""
    subject = uuid4()
    replicas = [families_on(pool) for _ in range(3)]
    minted: list[Minted] = []
    enough = asyncio.Event()
    chains = [await a_family(replicas[0], session=a_session(subject)) for _ in range(6)]
    codes = [await a_code(replicas[0], session=a_session(subject)) for _ in range(30)]

    async def refresh_on(token: str | None, replica: Families) -> None:
        while isinstance(outcome := await decided(replica, token), Minted):
            minted.append(outcome)
            token = outcome.refresh_token
            if len(minted) >= 60:
                enough.set()

    async def exchange_all() -> None:
        for code in codes:
            outcome = await redeem(replicas[1], str(code))
            if isinstance(outcome, Minted):
                minted.append(outcome)

    async with asyncio.timeout(30), asyncio.TaskGroup() as storm:
        for number, chain in enumerate(chains):
            storm.create_task(refresh_on(chain.refresh_token, replicas[number % 3]))
        storm.create_task(exchange_all())
        await enough.wait()
        applied_at = await kill(pool, _subject(subject))
    assert [token for token in minted if token.issued_at > applied_at] == []


async def test_a_new_sign_in_right_after_a_kill_gets_a_token_that_guards_accept(
    families: Families, pool: Pool
) -> None:
    """Guards compare whole seconds, so issuance waits until its second is later than the cut's."""
    subject = uuid4()
    applied_at = await kill(pool, _subject(subject))
    minted = await a_family(families, session=a_session(subject))
    assert int(minted.issued_at.timestamp()) > int(applied_at.timestamp())


async def test_a_kill_id_is_applied_once(families: Families, pool: Pool) -> None:
    """A repeat gets the first answer, or it would kill who signed in again meanwhile."""
    subject = uuid4()
    first = await kill(pool, _subject(subject))
    alive = await a_family(families, session=a_session(subject))
    assert await kill(pool, _subject(subject)) == first
    assert isinstance(await present(families, alive.refresh_token), Minted)
    said = await pool.fetch("SELECT event_id FROM outbox WHERE type LIKE '%kill.applied%'")
    assert len(said) == 1


async def test_a_client_kill_reaches_its_families_and_leaves_others(
    families: Families, pool: Pool
) -> None:
    """A client's cut denies its own families and nobody else's."""
    other = replace(CLIENT, client_id="other")
    mine, theirs = await a_family(families), await a_family(families, other)
    await kill(pool, Selector(kind=SelectorKind.CLIENT, value="web"))
    assert isinstance(await present(families, mine.refresh_token), Refused)
    assert isinstance(await present(families, theirs.refresh_token, other), Minted)


async def test_a_lasting_cut_issues_nothing_until_it_ends(families: Families, pool: Pool) -> None:
    """A disabled client gets no token of any kind; enabled again, it does."""

    async def ask() -> object:
        return await issue_for_client(
            families,
            CLIENT,
            scope=frozenset({"orders.read"}),
            resource=RESOURCE,
            origin=Origin(),
            correlation_id="test",
        )

    assert isinstance(await ask(), Minted)
    selector = Selector(kind=SelectorKind.CLIENT, value="web")
    async with transaction(pool) as connection:
        await cuts.cut(connection, kill_id="disabled:web", selector=selector, lasting=True)
    assert isinstance(await ask(), Refused)
    assert isinstance(await a_code(families), Refused)
    async with transaction(pool) as connection:
        await cuts.end_lasting(connection, kill_id="disabled:web")
    assert isinstance(await ask(), Minted)


async def test_ending_a_sign_in_takes_its_unredeemed_codes_with_it(
    families: Families, pool: Pool
) -> None:
    """A code issued before the logout starts no family after it, also when both race."""
    for _ in range(20):
        session = a_session()
        code = str(await a_code(families, session=session))

        async def log_out(session_id: object = session.session_id) -> None:
            async with transaction(pool) as connection:
                await end_session_families(
                    connection,
                    session_id,  # type: ignore[arg-type]  # bound above as a default
                    cause="logout",
                    origin=Origin(),
                    correlation_id="test",
                )

        outcome, _ = await asyncio.gather(redeem(families, code), log_out())
        if isinstance(outcome, Minted):
            assert isinstance(await present(families, outcome.refresh_token), Refused)
        else:
            assert isinstance(outcome, Refused)


def _subject(subject: object) -> Selector:
    return Selector(kind=SelectorKind.SUBJECT, value=subject_hash(str(subject), HASH_KEY))
