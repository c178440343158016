"""What a replica that froze, or a database that is set up otherwise, can do to the others."""

import asyncio

import asyncpg
import pytest

from issuer.domain.outcomes import Minted, TryLater
from issuer.store import cuts
from issuer.store.families import Families
from revocast_contracts.selectors import Selector, SelectorKind
from servicekit.postgres import Pool, create_pool, transaction
from tests.support.issuer import (
    CLIENT,
    a_code,
    a_code_in,
    a_family,
    a_session,
    families_on,
    present,
    redeem,
)
from tests.support.locks import until_count
from tests.support.wire import wire_to

SELECTOR = Selector(kind=SelectorKind.CLIENT, value="another")


async def apply(pool: Pool) -> None:
    async with transaction(pool) as connection:
        await cuts.apply_kill(connection, kill_id="k", selector=SELECTOR, correlation_id="test")


async def test_a_kill_gives_way_while_a_replica_is_frozen_between_code_and_commit(
    families: Families, pool: Pool
) -> None:
    """The kill comes back later, issuing goes on meanwhile, and then the kill is applied."""
    start = await a_family(families)
    async with transaction(pool) as frozen:
        assert isinstance(await a_code_in(frozen, CLIENT, a_session()), str)
        with pytest.raises(asyncpg.LockNotAvailableError):
            await apply(pool)
        assert isinstance(await present(families, start.refresh_token), Minted)
    await apply(pool)
    assert await pool.fetchval("SELECT count(*) FROM cut WHERE kill_id = 'k'") == 1


async def test_a_replica_that_freezes_after_asking_holds_nothing(
    issuer_database: str, pool: Pool
) -> None:
    """Redeeming a code is one statement: it commits while its answer is still on the way."""
    async with wire_to(issuer_database) as wire:
        far_pool = await create_pool(wire.dsn, size=2, application_name="far")
        far = families_on(far_pool)
        first = await a_family(far)
        code = str(await a_code(far))
        wire.answers.clear()
        frozen = asyncio.create_task(redeem(far, code))
        await until_count(pool, "SELECT count(*) FROM family", 2)
        await apply(pool)
        assert isinstance(await present(families_on(pool), first.refresh_token), Minted)
        wire.answers.set()
        assert isinstance(await frozen, Minted)
        await far_pool.close()


async def test_a_database_with_another_isolation_level_issues_nothing(
    issuer_database: str, pool: Pool
) -> None:
    """With one snapshot for a whole statement kills would be missed: nothing is decided."""
    start = await a_family(families_on(pool))
    name = issuer_database.rpartition("/")[2]
    await pool.execute(
        f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'"
    )
    strange = await create_pool(issuer_database, size=2, application_name="strange")
    try:
        outcome = await present(families_on(strange), start.refresh_token)
    finally:
        await strange.close()
    assert isinstance(outcome, TryLater)
    assert await pool.fetchval("SELECT max(generation) FROM family") == 1
