from dataclasses import replace

from issuer.domain.outcomes import Minted
from tests.support.issuer import REDIRECT_URI, RESOURCE, families_on, redeem
from tests.support.issuer_pages import (
    ASKING,
    ISSUER,
    PASSWORD,
    USERNAME,
    Issuer,
    Visitor,
    add_account,
    add_client,
    told,
)


async def test_sign_in_and_consent_lead_to_a_code(issuer: Issuer, alice: Visitor) -> None:
    """The code that comes back buys tokens with what was signed in and allowed."""
    code = await alice.allow()
    minted = await redeem(families_on(issuer.pool), code, ASKING)
    assert isinstance(minted, Minted)
    assert minted.scope == {"openid", "orders.read"}
    assert (minted.resource, minted.nonce, minted.acr) == (RESOURCE, "a nonce", "password")


async def test_the_answer_names_us_and_repeats_the_state(alice: Visitor) -> None:
    """RFC 6749 section 4.1.2 and RFC 9207: `code`, `state`, `iss` and nothing else."""
    await alice.allow()
    assert alice.returned.keys() == {"code", "state", "iss"}
    assert alice.returned["state"] == "the state"
    assert alice.returned["iss"] == ISSUER


async def test_the_consent_page_says_who_asks_whom_for_what(alice: Visitor) -> None:
    """The page names the client, the person, the resource and every scope."""
    page = (await alice.sign_in(), alice.page)[1]
    for word in (
        "Web",
        "Alice Example",
        USERNAME,
        "orders.read",
        RESOURCE,
        "Know that it is you",
        "you return to client.example",
    ):
        assert word in page.text


async def test_a_second_request_needs_nobody(issuer: Issuer, alice: Visitor) -> None:
    """Signed in and allowed once, the same request is answered at once, and no event repeats."""
    await alice.allow()
    await alice.authorize(prompt="none")
    assert "code" in alice.returned
    assert len(await told(issuer.pool, "consent.granted")) == 1
    assert len(await told(issuer.pool, "login.succeeded")) == 1


async def test_more_than_was_allowed_is_asked_again(issuer: Issuer, alice: Visitor) -> None:
    """Consent is remembered for what it was given for, and for nothing more."""
    await add_account(issuer, "bob", scopes=frozenset({"orders.read", "orders.write"}))
    await alice.sign_in("bob")
    await alice.press("allow")
    await alice.authorize(scope="openid orders.read orders.write")
    assert "allow" in alice.page.buttons


async def test_a_client_that_asks_nobody_gets_its_code(issuer: Issuer, alice: Visitor) -> None:
    """A client that was registered without consent is answered after the sign-in."""
    await add_client(issuer, replace(ASKING, client_id="own", consent_required=False))
    await alice.sign_in(client_id="own")
    assert "code" in alice.returned


async def test_a_native_client_asks_each_time(issuer: Issuer, alice: Visitor) -> None:
    """RFC 8252 section 8.6: a client whose identity can't be assured is never answered unasked."""
    await add_client(issuer, replace(ASKING, client_id="native", native=True, secret_sha256=None))
    await alice.allow(client_id="native")
    await alice.authorize(client_id="native")
    assert "allow" in alice.page.buttons
    await alice.authorize(client_id="native", prompt="none")
    assert alice.returned["error"] == "consent_required"


async def test_denying_goes_back_to_the_client(issuer: Issuer, alice: Visitor) -> None:
    """RFC 6749 section 4.1.2.1: access_denied, and nothing is remembered."""
    await alice.sign_in()
    await alice.press("deny")
    assert alice.returned["error"] == "access_denied"
    assert (alice.returned["state"], alice.returned["iss"]) == ("the state", ISSUER)
    assert await told(issuer.pool, "consent.granted") == []


async def test_cancelling_the_sign_in_goes_back_to_the_client(alice: Visitor) -> None:
    """Somebody who does not want to sign in is not stuck."""
    await alice.authorize()
    await alice.press("cancel")
    assert alice.returned["error"] == "access_denied"


async def test_an_account_gives_only_what_it_has(issuer: Issuer, alice: Visitor) -> None:
    """Granted is what was asked for, the client may have and the account may give."""
    code = await alice.allow(scope="openid orders.read orders.write")
    minted = await redeem(families_on(issuer.pool), code, ASKING)
    assert isinstance(minted, Minted)
    assert minted.scope == {"openid", "orders.read"}


async def test_an_account_with_nothing_to_give_is_told_apart(alice: Visitor) -> None:
    """Where nothing is left of the scopes, the client learns access_denied."""
    await alice.sign_in(scope="orders.write")
    assert alice.returned["error"] == "access_denied"


async def test_allowing_twice_is_harmless(issuer: Issuer, alice: Visitor) -> None:
    """A double click makes two codes of one consent, and one event."""
    await alice.sign_in()
    consent = alice.last
    await alice.press("allow")
    first = alice.returned["code"]
    alice.last = consent
    await alice.press("allow")
    assert alice.returned["code"] != first
    assert len(await told(issuer.pool, "consent.granted")) == 1


async def test_two_tabs_do_not_disturb_each_other(alice: Visitor) -> None:
    """Each tab's page carries its own request, so both are answered as they were asked."""
    await alice.authorize(state="one")
    first = alice.last
    await alice.authorize(state="two")
    await alice.press("sign-in", username=USERNAME, password=PASSWORD)
    await alice.press("allow")
    assert alice.returned["state"] == "two"
    alice.last = first
    await alice.press("sign-in", username=USERNAME, password=PASSWORD)
    assert alice.returned["state"] == "one"


async def test_another_account_can_be_chosen(issuer: Issuer, alice: Visitor) -> None:
    """From the consent page somebody else can sign in, and is the one who is asked."""
    await add_account(issuer, "bob")
    await alice.sign_in()
    await alice.press("switch")
    await alice.press("sign-in", username="bob", password=PASSWORD)
    assert "(bob)" in alice.page.text


async def test_a_post_is_answered_like_a_get(alice: Visitor) -> None:
    """OpenID Connect Core 3.1.2.1: the request may come as a form; it is repeated as a GET."""
    request = dict(alice.http.build_request("GET", "/authorize").headers)
    assert "cookie" not in request
    await alice.allow()
    parameters = {
        "response_type": "code",
        "client_id": "web",
        "redirect_uri": REDIRECT_URI,
        "scope": "openid",
        "state": "a&b=c",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
    }
    response = await alice.http.post("/authorize", data=parameters)
    assert response.status_code == 303
    alice.last = await alice.http.get(response.headers["location"])
    assert alice.returned["state"] == "a&b=c"


async def test_events_carry_hashes(issuer: Issuer, alice: Visitor) -> None:
    """Neither a name nor an address of the person stands in any event."""
    await alice.sign_in(USERNAME, "a password typed wrong")
    await alice.allow()
    rows = await issuer.pool.fetch("SELECT row_to_json(outbox)::text AS row FROM outbox")
    everything = "\n".join(row["row"] for row in rows)
    assert len(rows) >= 4
    for secret in (USERNAME, "Alice", '192.0.2.1"', "Visitor/1", PASSWORD, "typed wrong"):
        assert secret not in everything
    (succeeded,) = await told(issuer.pool, "login.succeeded")
    assert succeeded["origin"]["network"] == "192.0.2.0/24"
    assert succeeded["acr"] == "password"


async def test_every_decision_wakes_the_relay(issuer: Issuer, alice: Visitor) -> None:
    """The relay of the process is poked after what wrote events was committed."""
    issuer.pokes.clear()
    await alice.sign_in()
    signed_in = len(issuer.pokes)
    await alice.press("allow")
    assert 0 < signed_in < len(issuer.pokes)
