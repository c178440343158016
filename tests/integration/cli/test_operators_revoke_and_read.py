"""`revocast revoke` and `revocast audit`, as the demo's operator and as one with a token."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.support.command import Command
from tests.support.deadlines import until_sync
from tests.support.ledger import operator_token
from tests.support.system import System
from tests.support.tokens import claims_of
from tests.support.traffic import signed_in

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize("kind", ["family", "session", "jti"])
def test_what_is_revoked_dies_at_the_api(system: System, here: Command, kind: str) -> None:
    """Applied when the command ends, for whatever a token names."""
    (tokens,) = signed_in(system, 1)
    value = claims_of(tokens["access_token"])[{"session": "sid"}.get(kind, kind)]
    answer = here("revoke", kind, value, "--reason", "a stolen phone").json
    assert (answer["state"], answer["reason"]) == ("applied", "a stolen phone")
    with httpx.Client(timeout=10) as http:
        system.story(http).wait_for_denial(tokens["access_token"], 0)


def test_the_story_of_a_family_is_told_with_its_cause(system: System, here: Command) -> None:
    """In order, from the sign-in to the kill and who asked for it."""
    (tokens,) = signed_in(system, 1)
    family = claims_of(tokens["access_token"])["family"]
    here("revoke", "family", family, "--reason", "as a test").json  # noqa: B018 -- asserts

    def told() -> dict[str, Any]:
        story: dict[str, Any] = here("audit", "family", family).json
        return story

    until_sync(lambda: told()["state"] == "ended")
    story = told()
    assert story["cause"] == "kill"
    assert story["kill"]["reason"] == "as a test"
    assert story["records"][0]["type"] == "revocast.token.issued.v1"
    indexes = [record["index"] for record in story["records"]]
    assert indexes == sorted(indexes)


def test_records_are_filtered_and_paged(system: System, here: Command) -> None:
    """Every filter is passed on, and `next` goes on where the page ended."""
    (tokens,) = signed_in(system, 1)
    family = claims_of(tokens["access_token"])["family"]
    with httpx.Client(timeout=10) as http:
        system.story(http).refresh(system.demo.clients["web"], tokens)
    asked = ["audit", "records", "--family", family, "--order", "oldest", "--limit", "1"]
    until_sync(lambda: len(here(*asked[:4]).json["records"]) == 2)
    first = here(*asked).json
    second = here(*asked, "--cursor", first["next"]).json
    types = [page["records"][0]["type"] for page in (first, second)]
    assert types == ["revocast.token.issued.v1", "revocast.token.rotated.v1"]
    rotated = here(*asked[:4], "--type", "revocast.token.rotated.v1", "--client", "web").json
    assert [record["family"] for record in rotated["records"]] == [family]
    nothing = here(*asked[:4], "--from", "2001-01-01T00:00:00Z", "--to", "2001-01-02T00:00:00Z")
    assert nothing.json == {"records": [], "next": None}


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["audit", "family", NOBODY], "404"),
        (["audit", "family", "../records"], "404"),
        (["audit", "family", "' OR 1=1 --"], "400"),
        (["audit", "records", "--family", "x"], "400: family"),
        (["audit", "records", "--from", "yesterday"], "400: from"),
        (["audit", "records", "--cursor", "x"], "400: cursor"),
        (["revoke", "family", "x", "--reason", "r"], "422: "),
        (["revoke", "client", "x", "--reason", "\x1b[2J"], "422: "),
        (["revoke", "client", "x", "--reason", ""], "422: "),
    ],
)
def test_what_the_api_refuses_is_told_in_its_words(
    here: Command, arguments: list[str], why: str
) -> None:
    """Status 1, the code, and what is wrong with what."""
    assert here(*arguments).why.startswith(why)


@pytest.mark.parametrize(
    "arguments",
    [
        ["revoke", "everything", "x", "--reason", "r"],
        ["revoke", "family", "x"],
        ["audit", "records", "--order", "random"],
        ["audit", "records", "--limit", "0"],
        ["audit", "records", "--limit", "501"],
        ["clients", "create", "x", "--grant", "password"],
    ],
)
def test_bad_usage_ends_before_anything_is_asked(nowhere: Command, arguments: list[str]) -> None:
    """Status 2, as every command does, also where nothing runs."""
    assert nowhere(*arguments).status == 2


def test_a_token_and_an_address_are_enough(system: System, nowhere: Command) -> None:
    """Anywhere; and a token without the scope is refused with the scope that it lacks."""
    token = operator_token(system, "audit", "audit.read")
    told = Command(nowhere.directory, {"REVOCAST_OPERATOR_TOKEN": token})
    url = system.demo.urls["audit"]
    assert told("audit", "records", "--limit", "1", "--url", url).json["records"]
    (tokens,) = signed_in(system, 1)
    told = Command(nowhere.directory, {"REVOCAST_OPERATOR_TOKEN": tokens["access_token"]})
    assert told("audit", "records", "--url", url).why.startswith("401: ")
    told = Command(nowhere.directory, {"REVOCAST_OPERATOR_TOKEN": "caf\xe9"})
    assert told("audit", "records", "--url", url).why.startswith(("401: ", "the token"))
    assert tokens["access_token"] not in told("audit", "records", "--url", url).stderr


def test_where_nothing_runs_it_says_what_to_do(nowhere: Command) -> None:
    """Without demo and token; and with both where nobody listens."""
    assert "make run" in nowhere("audit", "records").why
    assert "make run" in nowhere("revoke", "client", "x", "--reason", "r").why
    told = Command(nowhere.directory, {"REVOCAST_OPERATOR_TOKEN": "x"})
    for url in ("http://127.0.0.1:1", "nonsense", "http://[", "ftp://127.0.0.1"):
        assert "can't be asked" in told("audit", "records", "--url", url).why


def test_another_server_is_recognised(system: System, nowhere: Command) -> None:
    """An address that answers something else is no traceback."""
    told = Command(nowhere.directory, {"REVOCAST_OPERATOR_TOKEN": "x"})
    assert told("audit", "records", "--url", system.demo.urls["sample_api"]).why.startswith("404")


def test_a_demo_file_that_a_killed_run_left_is_no_traceback(
    system: System, nowhere: Command
) -> None:
    """The addresses in it answer nobody, and the command says which."""
    (nowhere.directory / ".revocast").mkdir()
    gone = dict.fromkeys(system.demo.urls, "http://127.0.0.1:1")
    left = replace(system.demo, issuer="http://127.0.0.1:1", urls=gone)
    left.write(nowhere.directory / ".revocast" / "demo.json")
    assert "can't be asked" in nowhere("audit", "records").why
