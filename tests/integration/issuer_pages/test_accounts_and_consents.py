import pytest

from issuer.domain.authorization import Account, Origin
from issuer.domain.outcomes import Minted, Refused
from issuer.store import accounts
from issuer.usecases.create_account import AccountRefused, create_account
from issuer.usecases.withdraw_consent import withdraw_consent
from servicekit.postgres import transaction
from tests.support.issuer import families_on, present, redeem
from tests.support.issuer_pages import ASKING, PASSWORD, Issuer, Visitor, told


async def create(issuer: Issuer, username: str, password: str) -> Account | AccountRefused:
    return await create_account(
        issuer.people,
        username=username,
        password=password,
        name="Somebody",
        email="somebody@example.org",
        scopes=frozenset({"a", "b"}),
        actor="operator",
        correlation_id="test",
    )


async def test_an_account_is_made_and_told(issuer: Issuer) -> None:
    """The event names the subject and who did it; the name is a keyed hash."""
    account = await create(issuer, "Bob", PASSWORD)
    assert isinstance(account, Account)
    async with transaction(issuer.pool) as connection:
        assert await accounts.find(connection, account.subject) == account
        assert await accounts.find_by_username(connection, "bob") == account
    created = (await told(issuer.pool, "account.created"))[-1]
    assert created["sub"] == str(account.subject)
    assert (created["scope"], created["actor"]) == ("a b", "operator")
    assert "bob" not in created["username_hash"].lower()


@pytest.mark.parametrize(
    ("username", "password", "why"),
    [
        ("ALICE", PASSWORD, "taken"),
        ("a b", PASSWORD, "username"),
        ("", PASSWORD, "username"),
        ("bob", "short", "password"),
        ("bob", "x" * 2000, "password"),
    ],
)
async def test_what_makes_no_account(
    issuer: Issuer, username: str, password: str, why: str
) -> None:
    """A taken or impossible name and a weak password are refused, and nothing is told."""
    refused = await create(issuer, username, password)
    assert isinstance(refused, AccountRefused)
    assert why in refused.why
    assert len(await told(issuer.pool, "account.created")) == 1


async def test_a_password_is_stored_as_argon2id(issuer: Issuer) -> None:
    """Neither the password nor anything reversible stands in the database."""
    row = await issuer.pool.fetchval("SELECT row_to_json(account)::text FROM account")
    assert PASSWORD not in row
    assert "$argon2id$" in row


async def test_withdrawing_a_consent_ends_its_families(issuer: Issuer, alice: Visitor) -> None:
    """Families and consent end together, the client has to ask again, and it is told once."""
    families = families_on(issuer.pool)
    minted = await redeem(families, await alice.allow(), ASKING)
    assert isinstance(minted, Minted)
    subject = await issuer.pool.fetchval("SELECT subject FROM account")
    for ended in (1, 0):
        assert ended == await withdraw_consent(
            issuer.people, subject, "web", origin=Origin(), correlation_id="test"
        )
    assert isinstance(await present(families, minted.refresh_token, ASKING), Refused)
    await alice.authorize()
    assert "allow" in alice.page.buttons
    (withdrawn,) = await told(issuer.pool, "consent.withdrawn")
    assert withdrawn["families_ended"] == 1
