from datetime import timedelta

import pytest

from issuer.domain.id_token_hint import IdTokenHint
from issuer.store import sessions
from issuer.store.cuts import apply_kill
from issuer.usecases.forget_expired import forget_expired
from revocast_contracts.selectors import Selector, SelectorKind, subject_hash
from servicekit.postgres import transaction
from tests.support.issuer import HASH_KEY, families_on, present, redeem
from tests.support.issuer_pages import (
    ASKING,
    PASSWORD,
    USERNAME,
    Issuer,
    Visitor,
    add_account,
    told,
)

SESSION = "__Host-revocast_session"


async def test_the_cookie_is_kept_from_scripts_and_other_hosts(alice: Visitor) -> None:
    """Every cookie is `__Host-`, Secure, HttpOnly and SameSite=Lax."""
    response = await alice.sign_in()
    cookies = response.headers.get_list("set-cookie")
    assert len(cookies) == 2
    for cookie in cookies:
        assert cookie.startswith("__Host-revocast_")
        for attribute in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
            assert attribute in cookie
        assert "Domain" not in cookie


async def test_a_cookie_that_was_planted_is_not_taken_over(alice: Visitor) -> None:
    """Session fixation: whatever the browser had, signing in gives it a new value."""
    planted = "p" * 43
    alice.http.cookies.set(SESSION, planted, domain="id.example", path="/")
    await alice.sign_in()
    assert alice.http.cookies[SESSION] != planted
    alice.http.cookies.set(SESSION, planted, domain="id.example", path="/")
    await alice.authorize(prompt="none")
    assert alice.returned["error"] == "login_required"


async def test_an_attackers_own_sign_in_is_not_taken_over(issuer: Issuer, alice: Visitor) -> None:
    """A victim who signs in over an attacker's planted session gets another one."""
    await add_account(issuer, "mallory")
    async with issuer.visitor() as mallory:
        await mallory.sign_in("mallory")
        planted = mallory.http.cookies[SESSION]
        await alice.authorize(prompt="login")
        alice.http.cookies.set(SESSION, planted, domain="id.example", path="/")
        await alice.press("sign-in", username=USERNAME, password=PASSWORD)
        await mallory.authorize(prompt="none")
        assert mallory.returned["error"] == "login_required"


async def test_the_database_holds_no_cookie(issuer: Issuer, alice: Visitor) -> None:
    """What is stored of a sign-in can't be sent as a cookie."""
    await alice.sign_in()
    row = await issuer.pool.fetchval("SELECT row_to_json(session)::text FROM session")
    assert alice.http.cookies[SESSION] not in row
    assert sessions.cookie_sha256(alice.http.cookies[SESSION]).hex() in row


async def test_signing_in_again_keeps_the_session_and_changes_the_cookie(
    issuer: Issuer, alice: Visitor
) -> None:
    """The same person in the same browser: one `sid`, so that one sign-out ends all of it."""
    await alice.sign_in()
    before = await issuer.pool.fetchrow("SELECT id, auth_time FROM session")
    cookie = alice.http.cookies[SESSION]
    await alice.sign_in(prompt="login")
    after = await issuer.pool.fetchrow("SELECT id, auth_time FROM session")
    assert before is not None
    assert after is not None
    assert after["id"] == before["id"]
    assert after["auth_time"] > before["auth_time"]
    assert alice.http.cookies[SESSION] != cookie


async def test_another_person_ends_the_first_ones_sign_in(issuer: Issuer, alice: Visitor) -> None:
    """Somebody else who signs in in this browser ends what was there, families and all."""
    await add_account(issuer, "bob")
    families = families_on(issuer.pool)
    minted = await redeem(families, await alice.allow(), ASKING)
    await alice.authorize(prompt="login")
    await alice.press("sign-in", username="bob", password=PASSWORD)
    (ended,) = await told(issuer.pool, "session.ended")
    assert ended["families_ended"] == 1
    refused = await present(families, minted.refresh_token, ASKING)  # type: ignore[union-attr] # minted
    assert type(refused).__name__ == "Refused"


@pytest.mark.parametrize("column", ["idle_expires_at", "absolute_expires_at"])
async def test_a_sign_in_ends_by_itself(issuer: Issuer, alice: Visitor, column: str) -> None:
    """Idle for too long, or simply too old, a sign-in is over."""
    await alice.sign_in()
    await issuer.pool.execute(f"UPDATE session SET {column} = clock_timestamp()")  # noqa: S608 -- two constants
    await alice.authorize(prompt="none")
    assert alice.returned["error"] == "login_required"


async def test_using_a_sign_in_puts_its_idle_end_off(issuer: Issuer, alice: Visitor) -> None:
    """Idle means unused: each use starts the time again, but never beyond the absolute end."""
    await alice.sign_in()
    await issuer.pool.execute(
        "UPDATE session SET idle_expires_at = clock_timestamp() + interval '1 minute'"
    )
    await alice.authorize()
    left = await issuer.pool.fetchval("SELECT idle_expires_at - clock_timestamp() FROM session")
    assert left > sessions.IDLE - timedelta(minutes=1)


async def test_what_is_over_is_deleted(issuer: Issuer, alice: Visitor) -> None:
    """Housekeeping takes what expired and nothing else."""
    await alice.sign_in()
    assert await forget_expired(issuer.people) == 0
    await issuer.pool.execute("UPDATE session SET idle_expires_at = clock_timestamp()")
    assert await forget_expired(issuer.people) == 1
    assert await issuer.pool.fetchval("SELECT count(*) FROM session") == 0


async def test_a_disabled_account_is_out_at_once(issuer: Issuer, alice: Visitor) -> None:
    """Neither an earlier sign-in nor the right password is worth anything any more."""
    await alice.sign_in()
    await issuer.pool.execute("UPDATE account SET disabled = true")
    await alice.authorize(prompt="none")
    assert alice.returned["error"] == "login_required"
    assert (await alice.sign_in()).status_code == 403


async def test_a_kill_of_the_person_ends_the_sign_in(issuer: Issuer, alice: Visitor) -> None:
    """After a kill nothing is issued for an older sign-in: the consent page leads to sign-in."""
    await alice.sign_in()
    subject = await issuer.pool.fetchval("SELECT subject FROM session")
    selector = Selector(kind=SelectorKind.SUBJECT, value=subject_hash(str(subject), HASH_KEY))
    async with transaction(issuer.pool) as connection:
        await apply_kill(connection, kill_id="k", selector=selector, correlation_id="test")
    await alice.press("allow")
    assert "sign-in" in alice.page.buttons
    assert await told(issuer.pool, "consent.granted") == []
    await alice.press("sign-in", username=USERNAME, password=PASSWORD)
    await alice.press("allow")
    assert "code" in alice.returned


class TestPrompts:
    async def test_prompt_login_asks_for_the_password(self, alice: Visitor) -> None:
        """OpenID Connect Core 3.1.2.1: `login` asks again, once."""
        await alice.allow()
        await alice.authorize(prompt="login")
        await alice.press("sign-in", username=USERNAME, password=PASSWORD)
        assert "code" in alice.returned

    @pytest.mark.parametrize("prompt", ["login", "select_account"])
    async def test_the_page_says_why(self, alice: Visitor, prompt: str) -> None:
        """Somebody who is signed in learns that this is on purpose."""
        await alice.allow()
        await alice.authorize(prompt=prompt)
        assert "again" in alice.page.text

    async def test_prompt_consent_asks_again(self, alice: Visitor) -> None:
        """What was allowed is asked again when the client wants it so."""
        await alice.allow()
        await alice.authorize(prompt="consent")
        await alice.press("allow")
        assert "code" in alice.returned

    async def test_prompt_none_without_consent(self, alice: Visitor) -> None:
        """OpenID Connect Core 3.1.2.6: consent_required."""
        await alice.sign_in()
        await alice.authorize(prompt="none")
        assert alice.returned["error"] == "consent_required"

    async def test_max_age_zero_always_asks(self, alice: Visitor) -> None:
        """A sign-in that has just answered the request is recent enough for any max_age."""
        await alice.allow()
        await alice.authorize(max_age="0")
        await alice.press("sign-in", username=USERNAME, password=PASSWORD)
        assert "code" in alice.returned

    async def test_an_old_sign_in_is_not_recent(self, issuer: Issuer, alice: Visitor) -> None:
        """`max_age` counts from the sign-in by password."""
        await alice.allow()
        await issuer.pool.execute("UPDATE session SET auth_time = auth_time - interval '1 hour'")
        await alice.authorize(max_age="3601", prompt="none")
        assert "code" in alice.returned
        await alice.authorize(max_age="3599", prompt="none")
        assert alice.returned["error"] == "login_required"

    async def test_the_login_hint_is_only_a_hint(self, alice: Visitor) -> None:
        """It fills the name in, and signs nobody in."""
        await alice.authorize(login_hint="somebody@example.org")
        assert alice.page.fields["username"] == "somebody@example.org"
        await alice.press("sign-in", username=USERNAME, password=PASSWORD)
        await alice.authorize(login_hint="somebody@example.org")
        assert f"({USERNAME})" in alice.page.text

    async def test_a_hint_names_who_may_answer(self, issuer: Issuer, alice: Visitor) -> None:
        """OpenID Connect Core 3.1.2.1: nobody but the subject of `id_token_hint` answers."""
        bob = await add_account(issuer, "bob")
        issuer.hints["bobs"] = IdTokenHint(subject=bob.subject, session=None, client_id="web")
        await alice.allow()
        await alice.authorize(id_token_hint="bobs", prompt="none")
        assert alice.returned["error"] == "login_required"
        await alice.authorize(id_token_hint="bobs")
        await alice.press("sign-in", username=USERNAME, password=PASSWORD)
        assert alice.returned["error"] == "login_required"
        await alice.authorize(id_token_hint="bobs")
        await alice.press("sign-in", username="bob", password=PASSWORD)
        assert "(bob)" in alice.page.text
