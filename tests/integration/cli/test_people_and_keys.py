"""`revocast users` and `revocast keys`."""

from dataclasses import replace

import httpx
import pytest

from cli.demo import Person
from tests.support.command import Command
from tests.support.system import System

PASSWORD = "a long enough password"


def test_a_new_account_signs_in_with_the_typed_password(system: System, elsewhere: Command) -> None:
    """Its name in any spelling; and it may allow clients the scopes that it got."""
    made = elsewhere(
        *("users", "create", "Bea", "--scope", "orders.read", "--name", "Bea <b>"),
        *("--email", "bea@example.org"),
        typed=f"{PASSWORD}\n{PASSWORD}\n",
    )
    assert PASSWORD not in made.stdout + made.stderr
    web, api = system.demo.clients["web"], system.demo.urls["sample_api"]
    with httpx.Client(timeout=10) as http, httpx.Client(timeout=10) as browser:
        story = system.story(http)
        person = Person(username="BEA", password=PASSWORD)
        tokens = story.sign_in(web, person, "orders.read", api, browser)
        assert story.call_api(tokens["access_token"]).status_code == 200


@pytest.mark.parametrize(
    ("arguments", "typed", "why"),
    [
        (["alice"], PASSWORD, "username: taken"),
        (["ALICE"], PASSWORD, "username: taken"),
        (["two words"], PASSWORD, "username"),
        (["\udcff"], PASSWORD, "username"),
        (["carl"], "short", "password: at least"),
        (["carl", "--email", "nothing"], PASSWORD, "email"),
        (["carl", "--name", "\x1b[2J"], PASSWORD, "name"),
        (["carl", "--name", "\udcff"], PASSWORD, "name"),
        (["carl", "--scope", 'a"b'], PASSWORD, "scope"),
    ],
)
def test_what_cannot_be_an_account_is_told(
    elsewhere: Command, arguments: list[str], typed: str, why: str
) -> None:
    """Status 1 and the rule; the password is not repeated."""
    ended = elsewhere("users", "create", *arguments, typed=f"{typed}\n{typed}\n")
    assert ended.status == 1
    assert ended.stderr.splitlines()[-1].startswith(why)
    assert typed not in ended.stdout + ended.stderr.replace(why, "")


def test_a_password_typed_differently_makes_no_account(elsewhere: Command) -> None:
    """It is asked for again, and without an answer nothing is made."""
    ended = elsewhere("users", "create", "dora", typed="one long password\nanother password\n")
    assert ended.status == 1
    assert elsewhere("users", "create", "dora", typed=f"{PASSWORD}\n{PASSWORD}\n").status == 0


def test_the_keys_are_those_that_the_issuer_publishes(system: System, elsewhere: Command) -> None:
    """Each with its algorithm, and one of each algorithm signs now."""
    published = httpx.get(f"{system.demo.issuer}/.well-known/jwks.json").json()["keys"]
    listed = elsewhere("keys", "list").json
    assert {each["kid"]: each["alg"] for each in listed} == {
        key["kid"]: key["alg"] for key in published
    }
    assert {each["alg"] for each in listed if each["signs_now"]} >= {"ES256", "RS256"}
    assert set(listed[0]) == {"kid", "alg", "signs_from", "signs_now"}


def test_without_settings_and_demo_it_says_what_to_do(nowhere: Command) -> None:
    """Each command of an administrator ends with one line."""
    for arguments in (["clients", "list"], ["keys", "list"], ["clients", "disable", "x"]):
        assert "make run" in nowhere(*arguments).why


def test_a_database_that_cannot_be_used_is_one_line(elsewhere: Command, system: System) -> None:
    """Whether nobody listens, the password is wrong, or there are no tables; no value is told."""
    for dsn, why in {
        "postgresql://somebody:hidden@127.0.0.1:1/none": "connect call failed",
        system.postgres.address("postgres").replace("//postgres:", "//postgres:hidden"): "password",
        system.postgres.address("postgres"): "does not exist",
    }.items():
        kept = {name: text for name, text in elsewhere.settings.items() if "DATABASE" not in name}
        broken = replace(elsewhere, settings={**kept, "REVOCAST_ISSUER_DATABASE_URL": dsn})
        told = broken("clients", "list").why
        assert told.startswith("the issuer's database (REVOCAST_ISSUER_DATABASE_URL)")
        assert why in told.lower()
        assert "hidden" not in told


def test_a_missing_setting_is_named(elsewhere: Command) -> None:
    """Half an environment is an error of its own: the demo is not taken instead."""
    told = {"REVOCAST_ISSUER_URL": "https://issuer.example"}
    ended = replace(elsewhere, settings=told)("keys", "list")
    assert ended.status == 78
    assert "REVOCAST_ISSUER_DATABASE_URL" in ended.stderr
