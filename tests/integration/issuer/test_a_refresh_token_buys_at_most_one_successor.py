"""Promise 1: however many copies are presented at once, to however many replicas."""

import asyncio
from collections import Counter

from issuer.domain.outcomes import Minted, TryLater
from issuer.domain.refresh_token import MacKeys
from issuer.store.families import Families
from servicekit.postgres import Pool, create_pool
from tests.support.issuer import (
    HASH_KEY,
    KEYS,
    a_family,
    decided,
    events_of,
    families_on,
    present,
    rotated,
    with_grace,
)


async def test_a_hundred_copies_over_three_replicas_make_one_chain(
    issuer_database: str, pool: Pool
) -> None:
    """One rotates, three retries get the same successor, the rest are told to come back."""
    pools = [await create_pool(issuer_database, size=6, application_name="t") for _ in range(3)]
    try:
        replicas = [families_on(replica) for replica in pools]
        first = await a_family(replicas[0])
        slow = with_grace(60)
        outcomes = await asyncio.gather(
            *(decided(replicas[copy % 3], first.refresh_token, slow) for copy in range(100))
        )
    finally:
        await asyncio.gather(*(replica.close() for replica in pools))
    minted = [outcome for outcome in outcomes if isinstance(outcome, Minted)]
    limited = [o for o in outcomes if isinstance(o, TryLater) and o.limited]
    assert len({outcome.refresh_token for outcome in minted}) == 1
    assert len(minted) + len(limited) == 100
    assert len({outcome.jti for outcome in minted}) == len(minted) <= 4
    events = Counter(name for name, _ in await events_of(pool, first.family))
    assert events == {"token.issued": 1, "token.rotated": 1, "token.replayed": 3}
    assert isinstance(await rotated(families_on(pool), minted[0].refresh_token), Minted)


async def test_chains_of_many_families_refreshed_at_once_never_fork(pool: Pool) -> None:
    """Twenty families, each refreshed by two racing replicas, keep one current token each."""
    replicas = [families_on(pool), families_on(pool)]
    starts = [await a_family(replicas[0]) for _ in range(20)]

    async def race(token: str | None) -> str | None:
        for _ in range(10):
            both = await asyncio.gather(*(rotated(replica, token) for replica in replicas))
            assert both[0].refresh_token == both[1].refresh_token
            token = both[0].refresh_token
        return token

    await asyncio.gather(*(race(start.refresh_token) for start in starts))
    generations = await pool.fetch("SELECT generation, state FROM family")
    assert {tuple(row) for row in generations} == {(11, "active")}


async def test_a_token_of_an_older_mac_key_is_rotated_to_the_active_one(pool: Pool) -> None:
    """A replica with a newer active key takes the older key's token, and retries agree."""
    older, newer = families_on(pool, active="k1"), families_on(pool, active="k2")
    first = await a_family(older)
    second = await rotated(newer, first.refresh_token)
    assert second.refresh_token is not None
    assert second.refresh_token.startswith("rvc_rt_k2.")
    retried = await rotated(older, first.refresh_token)
    assert retried.refresh_token == second.refresh_token


async def test_a_replica_without_the_successors_mac_key_says_come_back(pool: Pool) -> None:
    """A key made active too early: the retry elsewhere is told 503 and stays good."""
    newer = families_on(pool, active="k2")
    behind = Families(pool, MacKeys({"k1": KEYS["k1"]}, "k1"), hash_key=HASH_KEY, poke=lambda: None)
    first = await a_family(behind)
    second = await rotated(newer, first.refresh_token)
    assert isinstance(await present(behind, first.refresh_token), TryLater)
    assert (await rotated(newer, first.refresh_token)).refresh_token == second.refresh_token


async def test_a_family_held_by_another_transaction_does_not_stall_its_neighbours(
    pool: Pool, families: Families
) -> None:
    """While one family's row is locked elsewhere, a batch with it still serves the others."""
    slow, fast = await a_family(families), await a_family(families)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM family WHERE id = $1 FOR UPDATE", slow.family)
        waiting = asyncio.create_task(present(families, slow.refresh_token))
        served = await rotated(families, fast.refresh_token)
        assert served.refresh_token is not None
        assert not waiting.done()
    assert isinstance(await waiting, Minted)
