"""Nobody has more live families at one client than the limit: the oldest end, and are told of."""

import asyncio
from dataclasses import replace
from uuid import UUID, uuid4

from issuer.domain.authorization import Session
from issuer.domain.client import GrantType
from issuer.domain.outcomes import Minted, Refused
from issuer.store.codes import MOST_LIVE_FAMILIES
from issuer.store.families import Families
from revocast_contracts.lifecycle import EndCause
from revocast_contracts.revocations import EntryCause
from servicekit.postgres import Pool, create_pool
from tests.support.guard_view import GuardView, claims_of
from tests.support.issuer import (
    CLIENT,
    a_code,
    a_family,
    a_session,
    events_of,
    families_on,
    present,
    redeem,
)

OTHER = "app"


async def fill(pool: Pool, like: Minted, count: int) -> None:
    """More families like one, each a second older than the one before."""
    await pool.execute(
        """
        INSERT INTO family (id, client_id, subject, subject_hash, session_id, shard, salt, key_id,
            rotated_at, scope, resource, auth_time, acr, started_at, idle_expires_at,
            absolute_expires_at)
        SELECT gen_random_uuid(), client_id, subject, subject_hash, session_id, shard, salt, key_id,
            rotated_at, scope, resource, auth_time, acr, started_at - n * interval '1 second',
            idle_expires_at, absolute_expires_at
        FROM family, generate_series(1, $2) AS n WHERE id = $1
        """,
        like.family,
        count,
    )


async def live(pool: Pool, subject: UUID) -> int:
    count: int = await pool.fetchval(
        "SELECT count(*) FROM family WHERE subject = $1 AND state = 'active'", subject
    )
    return count


async def test_one_more_ends_the_oldest_and_no_other(families: Families, pool: Pool) -> None:
    """At the limit a new sign-in succeeds, and the family that began first is over."""
    session = a_session()
    first = await a_family(families, session=session)
    await fill(pool, first, MOST_LIVE_FAMILIES - 1)
    oldest = await pool.fetchval("SELECT id FROM family ORDER BY started_at LIMIT 1")
    another = await a_family(families, session=a_session(session.subject))
    ended = await pool.fetch("SELECT id, cause FROM family WHERE state = 'ended'")
    assert [tuple(row) for row in ended] == [(oldest, EndCause.TOO_MANY)]
    assert await live(pool, session.subject) == MOST_LIVE_FAMILIES
    (name, data), *_ = await events_of(pool, oldest)
    assert (name, data["cause"]) == ("family.ended", "too_many")
    assert isinstance(await present(families, first.refresh_token), Minted)
    assert isinstance(await present(families, another.refresh_token), Minted)


async def test_guards_hear_of_a_family_that_was_one_too_many(
    families: Families, pool: Pool
) -> None:
    """Its access token is refused like that of any ended family."""
    view = GuardView(families)
    session = a_session()
    first = await a_family(families, session=session)
    await pool.execute("UPDATE family SET started_at = started_at - interval '1 hour'")
    await fill(pool, await a_family(families, session=session), MOST_LIVE_FAMILIES - 2)
    await pool.execute(
        "UPDATE family SET started_at = started_at - interval '1 day' WHERE id = $1", first.family
    )
    await a_family(families, session=session)
    await view.catch_up()
    entry = view.revocations.denies(claims_of(first))
    assert entry is not None
    assert entry.cause == EntryCause.REVOKED
    assert isinstance(await present(families, first.refresh_token), Refused)


async def test_only_live_families_of_the_same_person_and_client_count(
    families: Families, pool: Pool
) -> None:
    """Expired and ended ones take no place, nor do those at another client or of somebody else."""
    session = a_session()
    first = await a_family(families, session=session)
    await fill(pool, first, MOST_LIVE_FAMILIES - 1)
    others = [row["id"] for row in await pool.fetch("SELECT id FROM family ORDER BY started_at")]
    changes = (
        "idle_expires_at = clock_timestamp()",
        "absolute_expires_at = clock_timestamp()",
        "state = 'ended', cause = 'logout', ended_at = clock_timestamp()",
        f"client_id = '{OTHER}'",
        f"subject = '{uuid4()}'",
    )
    for family, change in zip(others, changes, strict=False):
        await pool.execute(f"UPDATE family SET {change} WHERE id = $1", family)  # noqa: S608 -- constants
    for _ in changes:
        await a_family(families, session=session)
    assert await pool.fetchval("SELECT count(*) FROM family WHERE cause = 'too_many'") == 0
    await a_family(families, session=session)
    assert await pool.fetchval("SELECT count(*) FROM family WHERE cause = 'too_many'") == 1


async def test_a_family_that_cannot_be_refreshed_takes_its_place_for_one_token_only(
    families: Families, pool: Pool
) -> None:
    """Without refresh tokens a family is live as long as its access token, not for weeks."""
    client = replace(CLIENT, grants=frozenset({GrantType.AUTHORIZATION_CODE}))
    minted = await a_family(families, client)
    assert minted.refresh_token is None
    lives = await pool.fetchval(
        "SELECT greatest(idle_expires_at, absolute_expires_at) - started_at FROM family"
    )
    assert lives == client.access_token_lifetime


async def test_sign_ins_that_race_at_the_limit_leave_exactly_the_limit(
    issuer_database: str, pool: Pool
) -> None:
    """Codes redeemed at once on two replicas, while the old families are refreshed: no deadlock."""
    session = a_session()
    here = families_on(pool)
    starts = [await a_family(here, session=session) for _ in range(10)]
    await fill(pool, starts[0], MOST_LIVE_FAMILIES - 10)
    await pool.execute(
        "UPDATE family SET started_at = started_at - interval '1 day' WHERE id = ANY ($1)",
        [start.family for start in starts],
    )
    second = await create_pool(issuer_database, size=8, application_name="second")
    replicas = [here, families_on(second)]
    codes = [await _code(here, session) for _ in range(30)]
    try:
        outcomes = await asyncio.gather(
            *(redeem(replicas[n % 2], code) for n, code in enumerate(codes)),
            *(_refresh_on(replicas[n % 2], start) for n, start in enumerate(starts)),
        )
    finally:
        await second.close()
    assert [type(outcome) for outcome in outcomes[:30]] == [Minted] * 30
    assert await live(pool, session.subject) == MOST_LIVE_FAMILIES
    ended = await pool.fetch("SELECT id FROM family WHERE cause = 'too_many'")
    assert {start.family for start in starts} <= {row["id"] for row in ended}
    told = await pool.fetchval("SELECT count(*) FROM outbox WHERE data->>'cause' = 'too_many'")
    assert told == len(ended) == 30


async def _refresh_on(families: Families, start: Minted) -> None:
    """Refresh until the family is one too many."""
    token = start.refresh_token
    while isinstance(outcome := await present(families, token), Minted):
        token = outcome.refresh_token


async def _code(families: Families, session: Session) -> str:
    code = await a_code(families, CLIENT, session)
    assert isinstance(code, str)
    return code
