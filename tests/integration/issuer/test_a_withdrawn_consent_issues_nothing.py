"""A consent that is being used while it is withdrawn: what comes of it ends with it."""

import asyncio
from uuid import uuid4

from issuer.domain.authorization import Origin
from issuer.domain.outcomes import Refused
from issuer.store import consents
from issuer.store.families import Families
from issuer.usecases.passwords import Passwords
from issuer.usecases.people import People
from issuer.usecases.withdraw_consent import withdraw_consent
from servicekit.postgres import Pool, transaction
from tests.support.issuer import CLIENT, HASH_KEY, RESOURCE, a_code_in, a_session, redeem
from tests.support.locks import until_somebody_waits


async def test_a_code_issued_on_a_remembered_consent_dies_with_it(
    families: Families, pool: Pool
) -> None:
    """The withdrawal waits for whoever uses the consent, then ends the code that came of it."""
    passwords = Passwords()
    people = People(pool=pool, passwords=passwords, hash_key=HASH_KEY, poke=lambda: None)
    session = a_session(uuid4())
    scope = frozenset({"openid", "orders.read"})
    async with transaction(pool) as connection:
        await connection.execute(
            "INSERT INTO account (subject, username, password_hash, name)"
            " VALUES ($1, 'a', '', 'A')",
            session.subject,
        )
        await consents.remember(connection, session.subject, CLIENT.client_id, RESOURCE, scope)
    async with transaction(pool) as connection:
        asked = (session.subject, CLIENT.client_id, RESOURCE)
        assert await consents.remembered(connection, *asked) == scope
        withdrawal = asyncio.create_task(
            withdraw_consent(
                people, session.subject, CLIENT.client_id, origin=Origin(), correlation_id="test"
            )
        )
        await until_somebody_waits(pool)
        code = await a_code_in(connection, CLIENT, session)
    await withdrawal
    passwords.close()
    assert isinstance(await redeem(families, str(code)), Refused)
    assert await pool.fetchval("SELECT count(*) FROM family") == 0
