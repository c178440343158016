"""Promise 4, when the issuer's database is put back to an older state while Kafka is ahead."""

from dataclasses import replace
from uuid import uuid4

from issuer.domain.authorization import Origin
from issuer.domain.outcomes import Refused
from issuer.store import clients, cuts
from issuer.usecases.clients import disable_client, enable_client
from issuer.usecases.introspect_token import access_token_is_live
from issuer.usecases.issue_for_client import issue_for_client
from revocast_contracts.selectors import Selector, SelectorKind, jti_hash, subject_hash
from revocast_contracts.topics import TOKEN_LIFECYCLE
from servicekit.postgres import transaction
from tests.integration.restore.issuer_life import ISSUER, Life, life
from tests.support.issuer import CLIENT, HASH_KEY, RESOURCE, a_family, a_session, present, rotated
from tests.support.issuer_api import add_clients
from tests.support.restores import Restorable
from tests.support.topics import delete_records


async def test_a_killed_subject_stays_killed(restored: Restorable, bootstrap: str) -> None:
    """The kill has its first time again: older families are dead, later sign-ins are not."""
    subject = uuid4()
    selector = Selector(kind=SelectorKind.SUBJECT, value=subject_hash(str(subject), HASH_KEY))
    async with life(restored.dsn, bootstrap) as before:
        old = await a_family(before.families, session=a_session(subject))
        other = await a_family(before.families)
    restored.back_up()
    async with life(restored.dsn, bootstrap) as before, transaction(before.pool) as connection:
        applied_at = await cuts.apply_kill(
            connection, kill_id="kill-1", selector=selector, correlation_id="test"
        )
    restored.restore()
    async with life(restored.dsn, bootstrap) as after:
        assert isinstance(await present(after.families, old.refresh_token), Refused)
        await rotated(after.families, other.refresh_token)
        async with transaction(after.pool) as connection:
            again = await cuts.apply_kill(
                connection, kill_id="kill-1", selector=selector, correlation_id="test"
            )
        assert again == applied_at
        new = await a_family(after.families, session=a_session(subject))
        await rotated(after.families, new.refresh_token)


async def test_a_revoked_access_token_stays_revoked(restored: Restorable, bootstrap: str) -> None:
    """Introspection knows the revocation that the backup does not have."""
    async with life(restored.dsn, bootstrap) as before:
        minted = await a_family(before.families)
    restored.back_up()
    async with life(restored.dsn, bootstrap) as before, transaction(before.pool) as connection:
        await cuts.revoke_jti(
            connection,
            jti_hash=jti_hash(minted.jti),
            family=str(minted.family),
            session=str(minted.session),
            sub=minted.subject,
            client_id=minted.client_id,
            exp=minted.expires_at,
            correlation_id="test",
        )
    restored.restore()
    async with life(restored.dsn, bootstrap) as after:
        assert not await access_token_is_live(
            after.families,
            jti=minted.jti,
            family=minted.family,
            session=minted.session,
            subject=minted.subject,
            client_id=minted.client_id,
            issued_at=minted.issued_at,
        )


async def _gets_a_token(life: Life, client_id: str) -> bool:
    outcome = await issue_for_client(
        life.families,
        replace(CLIENT, client_id=client_id),
        scope=frozenset({"orders.read"}),
        resource=RESOURCE,
        origin=Origin(),
        correlation_id="test",
    )
    return not isinstance(outcome, Refused)


async def _switch(life: Life, client_id: str, *, off: bool) -> None:
    switch = disable_client if off else enable_client
    assert await switch(life.pool, client_id, actor="op", correlation_id="test")


async def test_a_disabled_client_stays_disabled(restored: Restorable, bootstrap: str) -> None:
    """The last word on each client counts: off, off and on again, on and off again."""
    async with life(restored.dsn, bootstrap) as before:
        await add_clients(before.pool, *(replace(CLIENT, client_id=name) for name in "abcd"))
        await _switch(before, "d", off=True)
    restored.back_up()
    async with life(restored.dsn, bootstrap) as before:
        await _switch(before, "a", off=True)
        for off in (True, False):
            await _switch(before, "b", off=off)
        for off in (True, False, True):
            await _switch(before, "c", off=off)
        await _switch(before, "d", off=False)
    restored.restore()
    async with life(restored.dsn, bootstrap) as after:
        assert [await _gets_a_token(after, name) for name in "abcd"] == [False, True, False, True]
        async with after.pool.acquire() as connection:
            found = [await clients.find(connection, name) for name in "abcd"]
        assert [client.disabled for client in found if client] == [True, False, True, False]


async def test_a_log_that_is_too_short_ends_everything_older(
    restored: Restorable, bootstrap: str
) -> None:
    """Where the log does not hold all that is missing, one cut is made and told to every guard."""
    async with life(restored.dsn, bootstrap) as before:
        old = await a_family(before.families)
    restored.back_up()
    async with life(restored.dsn, bootstrap) as before:
        spent = old
        for _ in range(3):
            spent = await rotated(before.families, spent.refresh_token)
    await delete_records(bootstrap, TOKEN_LIFECYCLE)
    restored.restore()
    async with life(restored.dsn, bootstrap) as after:
        assert isinstance(await present(after.families, spent.refresh_token), Refused)
        assert isinstance(await present(after.families, old.refresh_token), Refused)
        told = await after.pool.fetch(
            "SELECT data FROM outbox WHERE type = 'revocast.kill.applied.v1'"
        )
        assert [row["data"]["selector"] for row in told] == [{"kind": "issuer", "value": ISSUER}]
        new = await a_family(after.families)
        await rotated(after.families, new.refresh_token)
