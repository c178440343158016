from dataclasses import replace
from urllib.parse import urlencode

import pytest

from issuer.domain.id_token_hint import IdTokenHint
from issuer.domain.outcomes import Minted, Refused
from tests.support.issuer import families_on, present, redeem
from tests.support.issuer_pages import ASKING, Issuer, Visitor, add_account, add_client, told

AFTER = "https://client.example/signed-out"
CLIENT = replace(ASKING, client_id="out", post_logout_redirect_uris=(AFTER,))


@pytest.fixture
async def minted(issuer: Issuer, alice: Visitor) -> Minted:
    """A family of the client, started at alice's browser; its ID token is `hers`."""
    await add_client(issuer, CLIENT)
    code = await alice.allow(client_id="out")
    minted = await redeem(families_on(issuer.pool), code, CLIENT)
    assert isinstance(minted, Minted)
    row = await issuer.pool.fetchrow("SELECT id, subject FROM session")
    assert row is not None
    issuer.hints["hers"] = IdTokenHint(subject=row["subject"], session=row["id"], client_id="out")
    return minted


async def is_over(issuer: Issuer, alice: Visitor, minted: Minted) -> bool:
    """Whether sign-in and family have both ended."""
    await alice.authorize(prompt="none")
    refused = await present(families_on(issuer.pool), minted.refresh_token, CLIENT)
    return alice.returned.get("error") == "login_required" and isinstance(refused, Refused)


async def test_a_hint_ends_the_session_and_its_families(
    issuer: Issuer, alice: Visitor, minted: Minted
) -> None:
    """With an ID token of this session nobody is asked, and the event says what ended."""
    response = await alice.open(
        "/logout", id_token_hint="hers", post_logout_redirect_uri=AFTER, state="s&t"
    )
    assert (response.status_code, response.headers["location"]) == (303, f"{AFTER}?state=s%26t")
    assert await is_over(issuer, alice, minted)
    (ended,) = await told(issuer.pool, "session.ended")
    assert ended["families_ended"] == 1


async def test_the_cookie_is_taken_away(alice: Visitor, minted: Minted) -> None:
    """The browser forgets its sign-in."""
    assert minted.refresh_token
    await alice.open("/logout", id_token_hint="hers")
    assert not any("session" in cookie for cookie in alice.http.cookies)
    assert "signed out" in alice.page.text


async def test_a_post_signs_out_as_well(issuer: Issuer, alice: Visitor, minted: Minted) -> None:
    """RP-Initiated Logout section 2: GET and POST."""
    response = await alice.http.post("/logout", data={"id_token_hint": "hers"})
    assert response.status_code == 200
    assert await is_over(issuer, alice, minted)


async def test_without_a_hint_somebody_has_to_press_the_button(
    issuer: Issuer, alice: Visitor, minted: Minted
) -> None:
    """A link from anywhere signs nobody out; the button does."""
    await alice.open("/logout")
    page = alice.page
    assert "sign-out" in page.buttons
    await alice.authorize(client_id="out", prompt="none")
    assert "code" in alice.returned
    await alice.open("/logout", client_id="out", post_logout_redirect_uri=AFTER)
    response = await alice.press("sign-out")
    assert response.headers["location"] == AFTER
    assert await is_over(issuer, alice, minted)


async def test_an_attackers_hint_signs_nobody_out(
    issuer: Issuer, alice: Visitor, minted: Minted
) -> None:
    """An ID token of another session leads to the question, not to the end."""
    await add_account(issuer, "mallory")
    async with issuer.visitor("198.51.100.9") as mallory:
        await mallory.sign_in("mallory")
    row = await issuer.pool.fetchrow(
        "SELECT id, subject FROM session ORDER BY auth_time DESC LIMIT 1"
    )
    assert row is not None
    issuer.hints["his"] = IdTokenHint(subject=row["subject"], session=row["id"], client_id="out")
    await alice.open("/logout", id_token_hint="his")
    assert "sign-out" in alice.page.buttons
    await alice.authorize(client_id="out", prompt="none")
    assert "code" in alice.returned
    assert minted.refresh_token


async def test_a_session_that_expired_still_ends_its_families(
    issuer: Issuer, alice: Visitor, minted: Minted
) -> None:
    """A hint ends what outlived the sign-in."""
    await issuer.pool.execute("DELETE FROM session")
    await alice.open("/logout", id_token_hint="hers")
    assert await is_over(issuer, alice, minted)


async def test_signing_out_twice_says_it_once(
    issuer: Issuer, alice: Visitor, minted: Minted
) -> None:
    """A second sign-out finds nothing, says nothing, and is no error."""
    assert minted.refresh_token
    for _ in range(2):
        response = await alice.open("/logout", id_token_hint="hers")
        assert response.status_code == 200
    assert len(await told(issuer.pool, "session.ended")) == 1


async def test_an_unregistered_address_is_not_gone_to(
    issuer: Issuer, alice: Visitor, minted: Minted
) -> None:
    """Only an exact match is redirected to; the sign-out happens all the same."""
    for uri in (
        "https://evil.example/",
        f"{AFTER}/",
        f"{AFTER}?x=1",
        f"{AFTER}#f",
        "https://client.example/callback",
        "//evil.example",
        "javascript:alert(1)",
    ):
        response = await alice.open("/logout", id_token_hint="hers", post_logout_redirect_uri=uri)
        assert response.status_code == 200, uri
        assert "location" not in response.headers
        assert "not registered" in response.text
    assert await is_over(issuer, alice, minted)


@pytest.mark.parametrize("twice", ["id_token_hint", "post_logout_redirect_uri", "state", "other"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_repeated_parameter_is_a_page(
    issuer: Issuer, alice: Visitor, minted: Minted, method: str, twice: str
) -> None:
    """A request with a parameter twice is refused whole: nobody is signed out or sent anywhere."""
    assert minted.refresh_token
    sent = {"id_token_hint": "hers", "post_logout_redirect_uri": AFTER, "state": "s", "other": "o"}
    raw = urlencode([*sent.items(), (twice, sent[twice])])
    if method == "GET":
        response = await alice.http.get(f"/logout?{raw}")
    else:
        form = {"content-type": "application/x-www-form-urlencoded"}
        response = await alice.http.post("/logout", content=raw, headers=form)
    assert (response.status_code, response.headers.get("location")) == (400, None)
    assert "a parameter is repeated" in response.text
    assert await told(issuer.pool, "session.ended") == []


async def test_an_address_without_a_client_is_not_gone_to(alice: Visitor, minted: Minted) -> None:
    """Without a hint or a client id there is nothing to compare with."""
    assert minted.refresh_token
    await alice.open("/logout", post_logout_redirect_uri=AFTER)
    response = await alice.press("sign-out")
    assert response.status_code == 200


async def test_a_hint_for_another_client_is_an_error(alice: Visitor, minted: Minted) -> None:
    """RP-Initiated Logout section 2: `client_id` must be the one the ID token was issued to."""
    assert minted.refresh_token
    response = await alice.open("/logout", id_token_hint="hers", client_id="web")
    assert response.status_code == 400


async def test_another_browsers_button_is_worth_nothing(
    issuer: Issuer, alice: Visitor, minted: Minted
) -> None:
    """A sign-out form that was made for another browser is refused."""
    assert minted.refresh_token
    await add_account(issuer, "mallory")
    async with issuer.visitor("198.51.100.9") as mallory:
        await mallory.sign_in("mallory")
        await mallory.open("/logout")
        field = mallory.page.fields["request"]
    response = await alice.http.post("/logout", data={"request": field})
    assert response.status_code == 403
    assert await told(issuer.pool, "session.ended") == []


async def test_signed_out_is_signed_out(alice: Visitor) -> None:
    """Somebody who was never signed in is told so, not asked."""
    await alice.open("/logout")
    assert "You are signed out" in alice.page.text
