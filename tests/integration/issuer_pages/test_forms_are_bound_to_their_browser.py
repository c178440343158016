import pytest

from tests.support.issuer_pages import (
    PASSWORD,
    USERNAME,
    Issuer,
    Visitor,
    add_account,
    told,
)

CREDENTIALS = {"username": USERNAME, "password": PASSWORD}


async def test_a_form_without_its_field_is_refused(issuer: Issuer, alice: Visitor) -> None:
    """Without the sealed field of our own page, nothing is decided and nobody is signed in."""
    await alice.authorize()
    for path in ("/sign-in", "/consent"):
        for field in (None, "", "x", "A" * 200, "A" * 60_000):
            data = {**CREDENTIALS, "decision": "allow"}
            data |= {} if field is None else {"request": field}
            assert (await alice.http.post(path, data=data)).status_code == 403, (path, field)
    assert not any("session" in cookie for cookie in alice.http.cookies)
    assert await told(issuer.pool, "login.succeeded") == []


async def test_another_browsers_sign_in_form_is_refused(issuer: Issuer, alice: Visitor) -> None:
    """An attacker can't sign a victim in as himself: the form is good in his own browser only."""
    async with issuer.visitor("198.51.100.9") as mallory:
        await mallory.authorize()
        stolen = mallory.page.fields["request"]
    await alice.authorize()
    response = await alice.press("sign-in", request=stolen, **CREDENTIALS)
    assert response.status_code == 403
    assert not any("session" in cookie for cookie in alice.http.cookies)


async def test_another_browsers_consent_form_is_refused(issuer: Issuer, alice: Visitor) -> None:
    """Nobody can press Allow for somebody else."""
    await add_account(issuer, "mallory")
    async with issuer.visitor("198.51.100.9") as mallory:
        await mallory.sign_in("mallory")
        stolen = mallory.page.fields["request"]
    await alice.sign_in()
    assert (await alice.press("allow", request=stolen)).status_code == 403
    assert await told(issuer.pool, "consent.granted") == []


async def test_a_sign_in_form_is_no_consent_form(alice: Visitor) -> None:
    """A field that was sealed for one form opens in no other."""
    await alice.authorize()
    field = alice.page.fields["request"]
    await alice.sign_in()
    assert (await alice.press("allow", request=field)).status_code == 403


async def test_a_consent_form_without_its_sign_in_asks_again(alice: Visitor) -> None:
    """Signed out since the page was shown, the person signs in first; nothing is allowed."""
    await alice.sign_in()
    consent = alice.last
    await alice.open("/logout")
    await alice.press("sign-out")
    alice.last = consent
    await alice.press("allow")
    assert "sign-in" in alice.page.buttons


async def test_a_consent_form_of_an_earlier_person_asks_the_present_one(
    issuer: Issuer, alice: Visitor
) -> None:
    """The answer of one person is never taken for another's in the same browser."""
    await add_account(issuer, "bob")
    await alice.sign_in()
    consent = alice.last
    await alice.press("switch")
    await alice.press("sign-in", username="bob", password=PASSWORD)
    alice.last = consent
    await alice.press("allow")
    assert "(bob)" in alice.page.text
    assert await told(issuer.pool, "consent.granted") == []


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_a_form_that_another_site_sends_is_refused(alice: Visitor, site: str) -> None:
    """Where the browser says that the form was sent from elsewhere, it is believed."""
    await alice.authorize()
    alice.http.headers["sec-fetch-site"] = site
    assert (await alice.press("sign-in", **CREDENTIALS)).status_code == 403


async def test_a_browser_without_cookies_is_told(alice: Visitor) -> None:
    """Somebody whose browser drops our cookie learns why it does not work."""
    await alice.authorize()
    alice.http.cookies.clear()
    response = await alice.press("sign-in", **CREDENTIALS)
    assert response.status_code == 403
    assert "cookies" in response.text


async def test_an_unknown_decision_allows_nothing(issuer: Issuer, alice: Visitor) -> None:
    """Only Allow allows."""
    await alice.sign_in()
    assert (await alice.press("allow", decision="ALLOW")).status_code == 403
    assert await told(issuer.pool, "consent.granted") == []


async def test_a_client_that_was_switched_off_meanwhile(issuer: Issuer, alice: Visitor) -> None:
    """A form made before a client was disabled gets it nothing."""
    await alice.sign_in()
    await issuer.pool.execute("UPDATE client SET disabled = true")
    assert (await alice.press("allow")).status_code == 403
