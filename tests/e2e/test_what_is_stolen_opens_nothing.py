"""Promise 7: what a database or a topic holds is no token, code, secret, password or cookie."""

import json
import sys
import tempfile
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from cli.browser import Browser
from issuer.domain.refresh_token import MacKeys
from issuer.signing.keys import UnsealError, unseal
from issuer.usecases.passwords import Passwords
from tests.support.leftovers import tables, topics
from tests.support.postgres import apart
from tests.support.system import System, running
from tests.support.thief import Loot, Thief

CODE = {"response_type": "code", "code_challenge": "c" * 43, "code_challenge_method": "S256"}


@pytest.fixture(scope="module")
def alone() -> Iterator[System]:
    """A system of its own: what hundreds of other tests leave would take hours to try."""
    with tempfile.TemporaryDirectory(prefix="revocast-stolen-") as name:
        Path(name).chmod(0o755)
        with running(Path(name)) as system:
            yield system


class Victim:
    """A story with something of everything, all of it alive when the thief comes."""

    def __init__(self, system: System) -> None:
        demo, self.browser = system.demo, httpx.Client(timeout=10)
        web, api = demo.clients["web"], demo.urls["sample_api"]
        with httpx.Client(timeout=10) as http:
            story = system.story(http)
            tokens = story.sign_in(web, demo.user, "openid orders.read", api, self.browser)
            for _ in range(2):
                tokens = story.refresh(web, tokens)
            self.tokens: dict[str, Any] = tokens
            assert story.call_api(tokens["access_token"]).status_code == 200
            reused = story.sign_in(web, demo.operator, "orders.read", api, http)
            story.refresh(web, story.refresh(web, reused))
            story.expect_invalid_grant(web, reused["refresh_token"])
            machine = demo.clients["machine"]
            own = http.post(
                f"{demo.issuer}/token",
                data={"grant_type": "client_credentials"},
                auth=(machine.client_id, machine.client_secret or ""),
            )
            assert own.status_code == 200
        asked = {**CODE, "client_id": "web", "scope": "orders.read", "resource": api}
        unused = Browser(self.browser).authorize(
            f"{demo.issuer}/authorize",
            {**asked, "redirect_uri": web.redirect_uri or ""},
            fields={},
            redirect_uri=web.redirect_uri or "",
        )
        assert "code" in unused
        (self.session_cookie,) = (name for name in self.browser.cookies if "session" in name)


def test_neither_databases_nor_topics_nor_keys_alone_open_anything(alone: System) -> None:
    """Every string, every value as a MAC or key, successors computed without one half: refused."""
    victim = Victim(alone)
    try:
        apart(_steal_and_try(alone, victim))
    finally:
        victim.browser.close()


async def _steal_and_try(system: System, victim: Victim) -> None:
    stolen = [*await tables(system), *await topics(system)]
    loot = Loot.of(text for _, text in stolen)
    assert len(loot.words) > 200
    assert len(loot.values) > 20
    families = await _rows(system, "SELECT id, key_id, generation, salt FROM family")
    assert {family["salt"] for family in families} < loot.values
    assert {str(family["id"]) for family in families} < loot.words
    keys = _mac_keys(system)
    async with httpx.AsyncClient(timeout=30) as http:
        await _what_is_right_opens(system, victim, http)
        thief = Thief(system.demo, http, victim.session_cookie)
        await thief.try_all(sorted(loot.words))
        await thief.try_refresh_tokens(_with_the_database(families, loot))
        await thief.try_refresh_tokens(_with_the_keys(families, loot, keys))
        assert thief.opened == []
        sys.stdout.write(f"{len(loot.words)} words, {thief.tried} tries\n")
        assert thief.tried > 7 * len(loot.words)
        await _passwords_and_keys_stay_closed(system, loot)
        # With both halves the same computation opens: what was refused was refused for the half
        # that was missing, and nothing that the thief did has ended the victim's family.
        made = {_mint(keys, family, family["salt"]) for family in families}
        (both,) = made & {victim.tokens["refresh_token"]}
        assert (await thief.refresh(both)).status_code == 200


async def _what_is_right_opens(system: System, victim: Victim, http: httpx.AsyncClient) -> None:
    """The same doors open to what is really secret: so the thief tried in earnest."""
    thief = Thief(system.demo, http, victim.session_cookie)
    cookie = victim.browser.cookies[victim.session_cookie]
    secret = system.demo.clients["web2"].client_secret or ""
    await thief.try_all([victim.tokens["access_token"], cookie, secret])
    opened = {each.partition(":")[0] for each in thief.opened}
    assert opened == {"access token", "introspected", "cookie", "client secret"}


def _with_the_database(families: list[Any], loot: Loot) -> Iterator[str]:
    """Successors as the code makes them, with anything that was found for the key; and any MAC."""
    for family in families:
        for value in loot.values | {bytes(32), b""}:
            guessed = MacKeys({family["key_id"]: value or b"\0"}, family["key_id"])
            yield _mint(guessed, family, family["salt"])
            yield _forged(family, value or bytes(32))


def _with_the_keys(families: list[Any], loot: Loot, keys: MacKeys) -> Iterator[str]:
    """The server's keys, ids and generations as topics tell them, any value for the salt but it."""
    salts = {family["salt"] for family in families}
    for family in families:
        for value in (loot.values - salts) | {bytes(32), b"", family["id"].bytes}:
            yield _mint(keys, family, value)


def _mint(keys: MacKeys, family: Any, salt: bytes) -> str:
    return keys.mint(family["key_id"], family["id"], family["generation"], salt)


def _forged(family: Any, mac: bytes) -> str:
    """A token of the right form around a value that was found."""
    made = MacKeys({family["key_id"]: bytes(32)}, family["key_id"])
    whole = made.mint(family["key_id"], family["id"], family["generation"], b"")
    (word,) = Loot.of([mac.hex()]).words - {mac.hex()}
    return f"{whole.rpartition('.')[0]}.{word}"


async def _passwords_and_keys_stay_closed(system: System, loot: Loot) -> None:
    """No word is a password, tried by the issuer's own code; no value unseals a signing key.

    The hashes are made cheap ones of the same passwords, or every word would take a tenth of a
    second.
    """
    passwords = Passwords(passes=1, memory_kib=64, lanes=1)
    try:
        for person in (system.demo.user, system.demo.operator):
            cheap = await passwords.hash(person.password)
            assert await passwords.verify(cheap, person.password)
            assert [word for word in loot.words if await passwords.verify(cheap, word)] == []
    finally:
        passwords.close()
    for row in await _rows(system, "SELECT kid, alg, sealed_private, public_jwk FROM signing_key"):
        for value in loot.values:
            with pytest.raises(UnsealError):
                unseal(
                    row["kid"],
                    row["alg"],
                    row["sealed_private"],
                    json.loads(row["public_jwk"]),
                    value,
                )


def _mac_keys(system: System) -> MacKeys:
    text = (system.stack.directory / "secrets" / "refresh-mac-keys").read_text()
    keys = {
        name: b64decode(key) for name, _, key in (each.partition(":") for each in text.split(","))
    }
    return MacKeys(keys, next(iter(keys)))


async def _rows(system: System, query: str) -> list[Any]:
    connection = await asyncpg.connect(system.postgres.address("revocast_issuer"))
    try:
        return list(await connection.fetch(query))
    finally:
        await connection.close()
