"""Rotations, codes and client tokens race every ending; what is left is one lawful history."""

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack
from datetime import datetime
from uuid import UUID

import pytest

from issuer.domain.outcomes import Minted
from issuer.usecases.passwords import Passwords
from issuer.usecases.people import People
from revocast_contracts.selectors import Selector, SelectorKind, jti_hash, subject_hash
from servicekit.postgres import Pool, create_pool
from tests.support.family_history import assert_events_tell_the_rows, jti_hashes_told
from tests.support.issuer import HASH_KEY, families_on
from tests.support.postgres import Server
from tests.support.storm import Storm

DEVICES = 10


@pytest.mark.parametrize("seed", [1, 2])
async def test_nothing_is_decided_after_its_ending_and_every_change_is_told_once(
    issuer_database: str, postgres: Server, seed: int
) -> None:
    """Three replicas with two MAC keys, seven kinds of endings: no fork, no ghost, no deadlock."""
    async with AsyncExitStack() as stack:
        pools = [await create_pool(issuer_database, size=5, application_name="t") for _ in "abcd"]
        for pool in pools:
            stack.push_async_callback(pool.close)
        passwords = Passwords()
        stack.callback(passwords.close)
        people = People(pool=pools[3], passwords=passwords, hash_key=HASH_KEY, poke=lambda: None)
        replicas = [families_on(pools[n], active=key) for n, key in enumerate(("k1", "k1", "k2"))]
        storm = Storm(replicas=replicas, people=people, dice=random.Random(seed))  # noqa: S311
        await storm.prepare()
        async with asyncio.timeout(120), asyncio.TaskGroup() as actors:
            for _ in range(DEVICES):
                actors.create_task(storm.device())
            for _ in range(2):
                actors.create_task(storm.thief())
            actors.create_task(storm.machine())
            actors.create_task(storm.endings(48))
        await _assert_lawful(storm, pools[0])
    async with await create_pool(postgres.dsn, size=1, application_name="t") as server:
        deadlocks = await server.fetchval(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = $1",
            issuer_database.rpartition("/")[2],
        )
    assert deadlocks == 0


async def _assert_lawful(storm: Storm, pool: Pool) -> None:
    unknown = [later for later in storm.later if "unknown" in later.detail]
    assert unknown == []
    heard = await assert_events_tell_the_rows(pool)
    assert min(heard[name] for name in ("token.rotated", "token.replayed", "family.ended")) > 5
    minted = Counter(jti_hash(token.jti) for token in storm.minted)
    assert Counter(await jti_hashes_told(pool)) == minted
    await _assert_logged_out(storm, pool)
    await _assert_withdrawn(storm, pool)
    _assert_killed(storm, {row["id"]: row["started_at"] for row in await _families(pool)})
    for client_id, off, on in storm.off:
        late = [token for token in _of_client(storm, client_id) if off < token.issued_at < on]
        assert late == []


async def _families(pool: Pool) -> list[dict[str, object]]:
    return [dict(row) for row in await pool.fetch("SELECT id, started_at FROM family")]


async def _assert_logged_out(storm: Storm, pool: Pool) -> None:
    assert storm.logged_out
    for session, began, done in storm.logged_out:
        assert await _outlived(pool, began, done, session=session) == 0


async def _assert_withdrawn(storm: Storm, pool: Pool) -> None:
    assert storm.withdrawn
    for subject, client_id, began, done in storm.withdrawn:
        assert await _outlived(pool, began, done, subject=subject, client_id=client_id) == 0


async def _outlived(
    pool: Pool,
    began: datetime,
    done: datetime,
    *,
    session: UUID | None = None,
    subject: UUID | None = None,
    client_id: str | None = None,
) -> int:
    """Families of codes from before an ending began that are active, or began when it was done."""
    outlived: int = await pool.fetchval(
        "SELECT count(*) FROM family f JOIN authorization_code c ON c.family_id = f.id"
        " WHERE c.issued_at < $1 AND (f.state = 'active' OR f.started_at > $2)"
        " AND (f.session_id = $3 OR f.subject = $4 AND f.client_id = $5)",
        began,
        done,
        session,
        subject,
        client_id,
    )
    return outlived


def _assert_killed(storm: Storm, started: dict[object, object]) -> None:
    assert storm.kills
    assert {selector.kind for selector, _ in storm.kills} == {
        SelectorKind.ISSUER,
        SelectorKind.CLIENT,
        SelectorKind.SUBJECT,
    }
    for selector, applied_at in storm.kills:
        tokens = [token for token in storm.minted if _is_meant(selector, token)]
        for token in tokens:
            if token.issued_at <= applied_at:
                continue
            assert int(token.issued_at.timestamp()) > int(applied_at.timestamp())
            if token.family is not None:
                assert started[token.family] > applied_at  # type: ignore[operator]  # datetimes


def _is_meant(selector: Selector, token: Minted) -> bool:
    match selector.kind:
        case SelectorKind.ISSUER:
            return True
        case SelectorKind.CLIENT:
            return token.client_id == selector.value
        case _:
            return subject_hash(token.subject, HASH_KEY) == selector.value


def _of_client(storm: Storm, client_id: str) -> list[Minted]:
    return [token for token in storm.minted if token.client_id == client_id]
