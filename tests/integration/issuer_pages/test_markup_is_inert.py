from dataclasses import replace

from issuer.domain.authorization import Account
from issuer.usecases.create_account import create_account
from tests.support.issuer_pages import ASKING, PASSWORD, Issuer, Visitor, add_client

EVIL = (
    "'\"><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}${7*7}'; DROP TABLE account;--"
)


async def test_parameters_are_shown_inert(alice: Visitor) -> None:
    """Whatever a parameter holds or is called, the page has the same tags."""
    await alice.authorize()
    tags = alice.page.tags
    for name in ("state", "nonce", "login_hint", "ui_locales", "display", EVIL):
        await alice.authorize(**{name: EVIL})
        assert alice.page.tags == tags, name
        assert "49" not in alice.page.text


async def test_refused_values_are_not_repeated(alice: Visitor) -> None:
    """An error never carries the text that caused it."""
    for name in ("scope", "redirect_uri", "client_id", "resource", "prompt", "code_challenge"):
        response = await alice.authorize(**{name: EVIL})
        shown = response.text + response.headers.get("location", "")
        assert "alert" not in shown, name
        assert "DROP" not in shown, name


async def test_what_is_typed_comes_back_inert(issuer: Issuer, alice: Visitor) -> None:
    """A name full of markup is put back into its field, and into nothing else."""
    await alice.authorize()
    tags = alice.page.tags
    response = await alice.press("sign-in", username=EVIL, password=EVIL)
    assert response.status_code == 403
    assert alice.page.fields["username"] == EVIL
    assert [tag for tag in alice.page.tags if tag != "p"] == [tag for tag in tags if tag != "p"]
    assert await issuer.pool.fetchval("SELECT count(*) FROM account") == 1


async def test_names_with_markup_are_shown_as_they_are(issuer: Issuer, alice: Visitor) -> None:
    """Clients and people may be called anything; the page shows it and runs nothing."""
    await add_client(issuer, replace(ASKING, client_id="evil", name=EVIL))
    account = await create_account(
        issuer.people,
        username="<b>bold</b>",
        password=PASSWORD,
        name=EVIL,
        scopes=frozenset({"orders.read"}),
        actor=EVIL,
        correlation_id="test",
    )
    assert isinstance(account, Account)
    await alice.sign_in("<b>bold</b>")
    tags = alice.page.tags
    await alice.authorize(client_id="evil")
    assert alice.page.tags == tags
    assert alice.page.text.count("<script>alert(1)</script>") >= 3
    await alice.open("/logout")
    assert "<b>bold</b>" in alice.page.text
    assert "b" not in alice.page.tags


async def test_a_state_comes_back_as_it_was(alice: Visitor) -> None:
    """Metacharacters and line breaks in a state neither change nor end the redirect."""
    state = f"{EVIL}\r\nSet-Cookie: a=b\t\u2028\U0001f600&code=forged#x"
    await alice.allow(state=state)
    assert alice.returned["state"] == state
    assert alice.returned["code"] != "forged"
    assert "\n" not in alice.last.headers["location"]
