"""Promise 7 in the small: grep all that a story leaves for all that was secret in it."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.support.leftovers import logs, tables, topics
from tests.support.postgres import apart
from tests.support.system import System

SECRET_MEMBERS = ("access_token", "refresh_token", "id_token")


class Overheard:
    """Every secret that went over the wire: tokens, codes, cookies, passwords, client secrets."""

    def __init__(self, system: System) -> None:
        demo = system.demo
        self.secrets = {demo.user.password, demo.operator.password}
        self.secrets |= {c.client_secret for c in demo.clients.values() if c.client_secret}

    def client(self) -> httpx.Client:
        """A client whose answers are listened to."""
        return httpx.Client(timeout=10, event_hooks={"response": [self._listen]})

    def _listen(self, response: httpx.Response) -> None:
        self.secrets |= set(response.cookies.values())
        query = parse_qs(urlsplit(response.headers.get("location", "")).query)
        self.secrets |= set(query.get("code", []))
        response.read()
        if response.headers.get("content-type", "").startswith("application/json"):
            body: Any = response.json()
            if isinstance(body, dict):
                self.secrets |= {body[name] for name in SECRET_MEMBERS if name in body}


def test_no_log_topic_or_database_holds_a_secret(system: System) -> None:
    """Neither in clear nor in part: not even a token's signature stands anywhere."""
    overheard = Overheard(system)
    with overheard.client() as http, overheard.client() as browser:
        story = system.story(http)
        web, api = system.demo.clients["web"], system.demo.urls["sample_api"]
        first = story.sign_in(web, system.demo.user, "openid orders.read", api, browser)
        second = story.refresh(web, first)
        third = story.refresh(web, second)
        story.expect_invalid_grant(web, first["refresh_token"])
        story.wait_for_denial(third["access_token"], 0)
    assert len(overheard.secrets) > 12
    left = [*logs(system.stack.directory), *apart(topics(system)), *apart(tables(system))]
    assert len(left) > 100
    needles = {part for secret in overheard.secrets for part in _parts(secret)}
    found = {where for where, text in left for needle in needles if needle in text}
    assert found == set()


def test_the_grep_finds_what_is_there(system: System) -> None:
    """The same search finds an event's subject, so an empty result means something."""
    everything = apart(topics(system)) + apart(tables(system))
    assert any("revocast.token.rotated.v1" in text for _, text in everything)
    assert any(where.startswith("revocast_issuer.family") for where, _ in everything)


def _parts(secret: str) -> list[str]:
    """A secret and its long pieces between dots (a signature alone is a leak), also as hex."""
    pieces = [secret, *(part for part in secret.split(".") if len(part) >= 40)]
    return [*pieces, *(piece.encode().hex() for piece in pieces)]
