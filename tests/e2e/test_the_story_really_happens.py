"""What `make story` shows, asserted step by step over HTTP against real processes."""

import httpx
import pytest

from cli.browser import UnexpectedPageError
from cli.demo import Person
from cli.story import Step, Story
from tests.support.system import System


def test_every_step_happens_in_order(system: System) -> None:
    """The story plays to its end, and says how long the thief had."""
    told: list[Step] = []
    with httpx.Client(timeout=10) as http:
        figures = Story(system.demo, told.append, http).play()
    assert [step.name for step in told] == [
        "sign in and consent",
        "call the API",
        "refresh",
        "refresh again",
        "call the API again",
        "a thief replays the first refresh token",
        "the API learns of it",
        "the victim's own refresh token",
        "the audit API tells why",
    ]
    assert 0 < figures["reuse_to_denied_ms"] <= figures["reuse_to_audited_ms"]


def test_a_wrong_password_stops_the_story(system: System) -> None:
    """The story is no recording: with a wrong password nobody gets a code."""
    stranger = Person(username=system.demo.user.username, password="not the password at all")
    with httpx.Client(timeout=10) as http, httpx.Client(timeout=10) as browser:
        story = system.story(http)
        with pytest.raises(UnexpectedPageError):
            story.sign_in(
                system.demo.clients["web"],
                stranger,
                "orders.read",
                system.demo.urls["sample_api"],
                browser,
            )


def test_the_api_refuses_strangers_and_serves_everybody_in_public(system: System) -> None:
    """`/orders` asks for a token, `/public` for none."""
    api = system.demo.urls["sample_api"]
    refused = httpx.get(f"{api}/orders")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Bearer")
    assert httpx.get(f"{api}/public").status_code == 200


def test_a_token_for_another_api_is_refused(system: System) -> None:
    """A token whose audience is the audit service opens nothing at the sample API."""
    with httpx.Client(timeout=10) as http, httpx.Client(timeout=10) as browser:
        story = system.story(http)
        tokens = story.sign_in(
            system.demo.clients["web"],
            system.demo.operator,
            "audit.read",
            system.demo.urls["audit"],
            browser,
        )
        assert story.call_api(tokens["access_token"]).status_code == 401
