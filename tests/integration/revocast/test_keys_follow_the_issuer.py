import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from revocast.fetch import LARGEST_DOCUMENT
from revocast.keys import (
    MISS_INTERVAL,
    RETRY_INTERVAL,
    STALE_AFTER,
    Keys,
    KeysUnavailableError,
)
from revocast.stats import Stats
from tests.integration.revocast.support import IssuerServer, http, until
from tests.unit.revocast.support import HandClock, signing_key


@asynccontextmanager
async def following(
    issuer: IssuerServer, clock: HandClock, path: Path | None = None, jwks_uri: str | None = None
) -> AsyncIterator[tuple[Keys, Stats]]:
    """Keys whose first fetch has ended, well or not."""
    stats = Stats()
    keys = Keys(issuer.url, jwks_uri=jwks_uri, path=path, clock=clock.clock(), stats=stats)
    await keys.start()
    try:
        await until(lambda: stats.key_fetches and keys._fetch is None)
        yield keys, stats
    finally:
        await keys.stop()


async def test_keys_are_found_by_their_id(issuer: IssuerServer) -> None:
    """Through the metadata (RFC 8414), in the background, before the first token comes."""
    async with following(issuer, HandClock()) as (keys, _):
        key = await keys.find("key-1")
        assert key is not None
        assert key.kid == "key-1"
        assert keys.trouble() is None
        assert issuer.fetches == 1


async def test_a_new_key_is_found_at_its_first_token(issuer: IssuerServer) -> None:
    """A key rotation needs no restart: the unknown kid is looked up at the issuer."""
    clock = HandClock()
    async with following(issuer, clock) as (keys, _):
        issuer.keys = [signing_key(), signing_key("EdDSA", "key-2")]
        clock.pass_(MISS_INTERVAL.total_seconds())
        found = await asyncio.gather(*(keys.find("key-2") for _ in range(50)))
        assert all(key is not None and key.algorithms == {"EdDSA"} for key in found)
        assert issuer.fetches == 2


async def test_a_withdrawn_key_is_not_used_any_more(issuer: IssuerServer) -> None:
    """After the next fetch, what the issuer does not publish does not verify."""
    clock = HandClock()
    async with following(issuer, clock) as (keys, _):
        issuer.keys = [signing_key("ES256", "key-2")]
        clock.pass_(MISS_INTERVAL.total_seconds())
        assert await keys.find("key-2") is not None
        assert await keys.find("key-1") is None


async def test_a_flood_of_unknown_kids_makes_few_fetches(issuer: IssuerServer) -> None:
    """3,000 tokens with 3,000 kids over 30 seconds cost the issuer one fetch per interval."""
    clock = HandClock()
    async with following(issuer, clock) as (keys, _):
        for second in range(30):
            clock.pass_(1)
            flood = (keys.find(f"unknown-{second}-{number}") for number in range(100))
            assert set(await asyncio.gather(*flood)) == {None}
        assert issuer.fetches == 1 + 30 // MISS_INTERVAL.total_seconds()


async def test_requests_share_one_fetch(issuer: IssuerServer) -> None:
    """While a fetch is under way, everybody waits for that one; who gives up stops none of it."""
    clock = HandClock()
    async with following(issuer, clock) as (keys, _):
        issuer.keys.append(signing_key("ES256", "key-2"))
        issuer.hold = asyncio.Event()
        clock.pass_(MISS_INTERVAL.total_seconds())
        waiting = [asyncio.create_task(keys.find("key-2")) for _ in range(20)]
        await until(lambda: keys._fetch is not None)
        waiting[0].cancel()
        issuer.hold.set()
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(found[0], asyncio.CancelledError)
        assert all(getattr(key, "kid", None) == "key-2" for key in found[1:])
        assert issuer.fetches == 2


async def test_without_keys_nothing_is_decided(issuer: IssuerServer) -> None:
    """No keys yet and no issuer: that is no verdict about a token."""
    await issuer.stop()
    clock = HandClock()
    async with following(issuer, clock) as (keys, stats):
        with pytest.raises(KeysUnavailableError):
            await keys.find("key-1")
        assert keys.trouble() is not None
        assert stats.key_fetch_failures == stats.key_fetches
        await issuer.restart()
        clock.pass_(RETRY_INTERVAL.total_seconds())
        assert await keys.find("key-1") is not None
        assert keys.trouble() is None


async def test_the_keys_at_hand_survive_the_issuer(issuer: IssuerServer) -> None:
    """With the issuer down known kids verify, unknown ones cannot be judged, until all is stale."""
    clock = HandClock()
    async with following(issuer, clock) as (keys, _):
        await issuer.stop()
        clock.pass_(STALE_AFTER.total_seconds() - 1)
        assert await keys.find("key-1") is not None
        with pytest.raises(KeysUnavailableError):
            await keys.find("key-2")
        clock.pass_(1)
        with pytest.raises(KeysUnavailableError):
            await keys.find("key-1")
        assert keys.trouble() is not None


async def test_a_guard_starts_from_disk_while_the_issuer_is_down(
    issuer: IssuerServer, tmp_path: Path
) -> None:
    """Keys of the last run are used until they are as old as they may become."""
    clock, path = HandClock(), tmp_path / "keys.json"
    async with following(issuer, clock, path):
        await until(path.exists)
    await issuer.stop()
    clock.pass_(STALE_AFTER.total_seconds() - 5)
    async with following(issuer, clock, path) as (keys, _):
        assert await keys.find("key-1") is not None
        clock.pass_(5)
        with pytest.raises(KeysUnavailableError):
            await keys.find("key-1")


@pytest.mark.parametrize("moved", [STALE_AFTER.total_seconds(), -60.0])
async def test_an_old_key_file_is_not_used(
    issuer: IssuerServer, tmp_path: Path, moved: float
) -> None:
    """Nor one from the future: then some clock is wrong."""
    clock, path = HandClock(), tmp_path / "keys.json"
    async with following(issuer, clock, path):
        await until(path.exists)
    await issuer.stop()
    clock.wall += moved
    async with following(issuer, clock, path) as (keys, _):
        assert keys.trouble() is not None


async def test_a_key_file_that_cannot_be_written_stops_nobody(
    issuer: IssuerServer, tmp_path: Path
) -> None:
    """It is counted; the keys are there all the same."""
    async with following(issuer, HandClock(), tmp_path / "no" / "keys.json") as (keys, stats):
        await until(lambda: stats.key_file_failures)
        assert await keys.find("key-1") is not None


BAD_ANSWERS: list[bytes] = [
    http(500, b"{}"),
    http(404, b"{}"),
    http(302, b"", "Location: /jwks.json"),
    http(200, b""),
    http(200, b"[]"),
    http(200, b"null"),
    http(200, b"\xff\xfe"),
    http(200, b"[" * 100_000),
    http(200, b'{"keys": []}'),
    http(200, b'{"keys": [' + b" " * LARGEST_DOCUMENT + b"]}"),
    b"no http at all\r\n\r\n",
]


@pytest.mark.parametrize("answer", BAD_ANSWERS)
async def test_a_bad_answer_leaves_the_keys_at_hand(issuer: IssuerServer, answer: bytes) -> None:
    """Whatever the issuer's address answers, no good key is lost and no bad one is won."""
    clock = HandClock()
    async with following(issuer, clock) as (keys, stats):
        issuer.raw = answer
        clock.pass_(MISS_INTERVAL.total_seconds())
        with pytest.raises(KeysUnavailableError):
            await keys.find("key-2")
        assert await keys.find("key-1") is not None
        assert stats.key_fetch_failures == 1


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://other.example"},
        {"issuer": None},
        {"jwks_uri": None},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "http://user@127.0.0.1/"},
        {"jwks_uri": "http://[bad/"},
        {"jwks_uri": ["x"]},
    ],
)
async def test_metadata_of_another_issuer_is_refused(
    issuer: IssuerServer, metadata: dict[str, Any]
) -> None:
    """RFC 8414 section 3.3: the issuer must be the one that was asked for, exactly."""
    issuer.metadata = metadata
    async with following(issuer, HandClock()) as (keys, stats):
        assert keys.trouble() is not None
        assert stats.key_fetch_failures == stats.key_fetches
        assert issuer.fetches == 0


async def test_a_given_jwks_uri_needs_no_metadata(issuer: IssuerServer) -> None:
    """For a network in which the issuer goes by another name."""
    uri = f"{issuer.url}/jwks.json"
    async with following(issuer, HandClock(), jwks_uri=uri) as (keys, _):
        assert await keys.find("key-1") is not None
        assert list(issuer.asked) == ["/jwks.json"]


async def test_the_file_names_its_issuer(issuer: IssuerServer, tmp_path: Path) -> None:
    """So that a changed setting never runs on another issuer's keys."""
    path = tmp_path / "keys.json"
    async with following(issuer, HandClock(), path):
        await until(path.exists)
    document = json.loads(path.read_text())
    assert document["issuer"] == issuer.url
    assert "d" not in document["jwks"]["keys"][0]
