"""Sign-outs, withdrawn consents and replaced credentials outlive a restore, however often the log
is taken over."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from issuer.domain.authorization import Origin
from issuer.store import consents, sessions, signing_keys
from issuer.store.sessions import Started
from issuer.usecases.catch_up import CatchUp
from issuer.usecases.clients import disable_client, enable_client, replace_secret
from issuer.usecases.end_session import end_session
from issuer.usecases.passwords import Passwords
from issuer.usecases.people import People
from issuer.usecases.set_password import set_password
from issuer.usecases.withdraw_consent import withdraw_consent
from messaging import outbox
from revocast_contracts.activity import SigningKeyRetired
from revocast_contracts.envelope import Draft, Event
from revocast_contracts.selectors import subject_hash
from revocast_contracts.topics import ISSUER_ACTIVITY, TOKEN_LIFECYCLE
from servicekit.postgres import Pool, transaction
from tests.integration.restore.issuer_life import ISSUER, life
from tests.support.issuer import CLIENT, HASH_KEY, RESOURCE, a_family, a_session, rotated
from tests.support.issuer_api import add_clients
from tests.support.restores import Restorable
from tests.support.revocation_stack import read_all

SUBJECT = uuid4()
SCOPE = frozenset({"orders.read"})
TABLES = ("family", "cut", "session", "consent", "client", "account", "signing_key")


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    cheap = Passwords(passes=1, memory_kib=64, lanes=1)
    yield cheap
    cheap.close()


async def _prepare(pool: Pool) -> Started:
    await add_clients(pool, CLIENT)
    await pool.execute(
        "INSERT INTO account (subject, username, password_hash, name)"
        " VALUES ($1, 'ada', 'old', '')",
        SUBJECT,
    )
    async with transaction(pool) as connection:
        await consents.remember(connection, SUBJECT, CLIENT.client_id, RESOURCE, SCOPE)
        await signing_keys.add(
            connection,
            kid="key-1",
            alg="ES256",
            sealed_private=b"sealed",
            public_jwk={},
            signs_after=timedelta(0),
        )
        hashed = subject_hash(str(SUBJECT), HASH_KEY)
        return await sessions.start(connection, SUBJECT, subject_hash=hashed, acr="pwd")


async def _act(people: People, session: UUID) -> None:
    """Everything that the backup does not have."""
    pool = people.pool
    await end_session(people, session, SUBJECT, origin=Origin(), correlation_id="test")
    await withdraw_consent(
        people, SUBJECT, CLIENT.client_id, origin=Origin(), correlation_id="test"
    )
    told = {"actor": "op", "correlation_id": "test"}
    assert await replace_secret(pool, CLIENT.client_id, **told)
    assert (
        await set_password(people, username="ada", password="a new long password", **told) is None
    )
    async with transaction(pool) as connection:
        await outbox.append(
            connection,
            ISSUER_ACTIVITY,
            Draft(
                key="key-1",
                subject="key-1",
                time=await connection.fetchval("SELECT clock_timestamp()"),
                correlation_id="test",
                data=SigningKeyRetired(kid="key-1", alg="ES256", actor="op"),
            ),
        )


async def test_nothing_that_was_taken_back_comes_back(
    restored: Restorable, bootstrap: str, passwords: Passwords
) -> None:
    """The sign-in, the consent, the old secret, the old password and the old key are gone."""
    async with life(restored.dsn, bootstrap) as before:
        started = await _prepare(before.pool)
        old_secret = await before.pool.fetchval("SELECT secret_sha256 FROM client")
    restored.back_up()
    async with life(restored.dsn, bootstrap) as before:
        people = People(pool=before.pool, passwords=passwords, hash_key=HASH_KEY, poke=lambda: None)
        await _act(people, started.session.session_id)
    restored.restore()
    async with life(restored.dsn, bootstrap) as after:
        assert await after.pool.fetchval("SELECT count(*) FROM session") == 0
        assert await after.pool.fetchval("SELECT count(*) FROM consent") == 0
        assert await after.pool.fetchval("SELECT secret_sha256 FROM client") != old_secret
        hashed = await after.pool.fetchval("SELECT password_hash FROM account")
        assert hashed == "lost"
        assert not await passwords.verify(hashed, "a new long password")
        assert await after.pool.fetchval("SELECT retired_at <= now() FROM signing_key")


async def test_taking_over_again_changes_nothing(restored: Restorable, bootstrap: str) -> None:
    """A relay that died half way begins again: the same events in other batches do no more."""
    async with life(restored.dsn, bootstrap) as one:
        await add_clients(one.pool, CLIENT)
        session = a_session()
        token = await a_family(one.families, session=session)
        for _ in range(3):
            token = await rotated(one.families, token.refresh_token)
        for switch in (disable_client, enable_client):
            assert await switch(one.pool, CLIENT.client_id, actor="op", correlation_id="test")
    async with life(restored.dsn, bootstrap) as one:
        events = [
            *await read_all(bootstrap, TOKEN_LIFECYCLE),
            *await read_all(bootstrap, ISSUER_ACTIVITY),
        ]
        before = await _rows(one.pool)
        await _take_over(one.pool, events)
        once = await _rows(one.pool)
        for event in events:
            await _take_over(one.pool, [event])
        assert await _rows(one.pool) == once
        families = [table for table in TABLES if table != "cut"]
        assert {table: once[table] for table in families} == {
            table: before[table] for table in families
        }


async def _take_over(pool: Pool, events: list[Event]) -> None:
    async with transaction(pool) as connection:
        await CatchUp(ISSUER, hash_key=HASH_KEY).catch_up(connection, events)


async def _rows(pool: Pool) -> dict[str, list[str]]:
    return {
        table: sorted(
            row["whole"]
            for row in await pool.fetch(f"SELECT t::text AS whole FROM {table} AS t")  # noqa: S608 -- a constant
        )
        for table in TABLES
    }
