import asyncio

import asyncpg
import pytest

from issuer.domain.outcomes import Minted
from tests.support.issuer import families_on, redeem
from tests.support.issuer_pages import ASKING, Issuer, Visitor, told


async def test_a_consent_that_cannot_be_told_did_not_happen(issuer: Issuer, alice: Visitor) -> None:
    """Consent, code and event commit together or not at all."""
    await alice.sign_in()
    await issuer.pool.execute("ALTER TABLE outbox RENAME TO away")
    with pytest.raises(asyncpg.UndefinedTableError):
        await alice.press("allow")
    assert await issuer.pool.fetchval("SELECT count(*) FROM consent") == 0
    assert await issuer.pool.fetchval("SELECT count(*) FROM authorization_code") == 0


async def test_a_sign_in_that_cannot_be_told_did_not_happen(issuer: Issuer, alice: Visitor) -> None:
    """Nobody is signed in without a record of it."""
    await issuer.pool.execute("ALTER TABLE outbox RENAME TO away")
    with pytest.raises(asyncpg.UndefinedTableError):
        await alice.sign_in()
    assert await issuer.pool.fetchval("SELECT count(*) FROM session") == 0


@pytest.mark.parametrize("attempt", range(5))
async def test_no_code_outlives_a_sign_out(issuer: Issuer, alice: Visitor, attempt: int) -> None:
    """Allow and sign-out at the same moment: whichever is first, no code is good afterwards."""
    await alice.sign_in(state=str(attempt))
    allow = alice.page
    await alice.open("/logout")
    sign_out = alice.page
    allowed, signed_out = await asyncio.gather(
        alice.http.post("/consent", data={**allow.fields, "decision": "allow"}),
        alice.http.post("/logout", data=sign_out.fields),
    )
    assert signed_out.status_code == 200
    alice.last = allowed
    if allowed.status_code == 303:
        code = alice.returned["code"]
        assert not isinstance(await redeem(families_on(issuer.pool), code, ASKING), Minted)
    else:
        assert "sign-in" in alice.page.buttons
    assert len(await told(issuer.pool, "session.ended")) == 1
