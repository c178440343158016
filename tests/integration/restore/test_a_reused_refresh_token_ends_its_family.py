"""Promise 2, when the issuer's database is put back to an older state while Kafka is ahead."""

from issuer.domain.authorization import Origin
from issuer.domain.outcomes import Refused
from issuer.store.families import end_session_families
from issuer.usecases.introspect_token import access_token_is_live, refresh_token_is_live
from servicekit.postgres import transaction
from tests.integration.restore.issuer_life import life
from tests.support.issuer import a_family, a_session, present, rotated, with_grace
from tests.support.restores import Restorable


async def test_a_family_that_ended_by_theft_stays_ended(
    restored: Restorable, bootstrap: str
) -> None:
    """After the restore neither the thief nor the victim gets anything."""
    client = with_grace(0)
    async with life(restored.dsn, bootstrap) as before:
        first = await a_family(before.families, client)
    restored.back_up()
    async with life(restored.dsn, bootstrap) as before:
        second = await rotated(before.families, first.refresh_token, client)
        assert isinstance(await present(before.families, first.refresh_token, client), Refused)
    restored.restore()
    async with life(restored.dsn, bootstrap) as after:
        for token in (first, second):
            assert isinstance(await present(after.families, token.refresh_token, client), Refused)
        row = await after.pool.fetchrow("SELECT state, cause, generation FROM family")
        assert row is not None
        assert tuple(row) == ("ended", "reuse", 2)


async def test_a_family_that_ended_by_a_sign_out_stays_ended(
    restored: Restorable, bootstrap: str
) -> None:
    """The cause and the moment of the ending are the ones from before."""
    session = a_session()
    async with life(restored.dsn, bootstrap) as before:
        minted = await a_family(before.families, session=session)
    restored.back_up()
    async with life(restored.dsn, bootstrap) as before:
        async with transaction(before.pool) as connection:
            await end_session_families(
                connection,
                session.session_id,
                cause="logout",
                origin=Origin(),
                correlation_id="test",
            )
        ended = await before.pool.fetchrow("SELECT cause, ended_at FROM family")
    restored.restore()
    async with life(restored.dsn, bootstrap) as after:
        assert await after.pool.fetchrow("SELECT cause, ended_at FROM family") == ended
        assert isinstance(await present(after.families, minted.refresh_token), Refused)


async def test_introspection_knows_families_from_after_the_backup(
    restored: Restorable, bootstrap: str
) -> None:
    """Their access tokens are as alive as guards see them; their refresh tokens are lost."""
    async with life(restored.dsn, bootstrap):
        pass
    restored.back_up()
    async with life(restored.dsn, bootstrap) as before:
        first = await a_family(before.families)
        alive = await rotated(before.families, first.refresh_token)
        dead = await a_family(before.families, client := with_grace(0))
        await rotated(before.families, dead.refresh_token, client)
        assert isinstance(await present(before.families, dead.refresh_token, client), Refused)
    restored.restore()
    async with life(restored.dsn, bootstrap) as after:
        for minted, live in ((alive, True), (dead, False)):
            assert live is await access_token_is_live(
                after.families,
                jti=minted.jti,
                family=minted.family,
                session=minted.session,
                subject=minted.subject,
                client_id=minted.client_id,
                issued_at=minted.issued_at,
            )
            assert minted.refresh_token is not None
            assert await refresh_token_is_live(after.families, minted.refresh_token) is None
            assert isinstance(await present(after.families, minted.refresh_token), Refused)
