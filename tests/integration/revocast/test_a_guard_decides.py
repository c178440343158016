import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from revocast import (
    Guard,
    InsufficientScope,
    InvalidToken,
    Policy,
    RevokedToken,
    Unavailable,
    policies,
)
from revocast_contracts.lifetimes import SKEW
from revocast_contracts.selectors import SelectorKind
from tests.integration.revocast.support import IssuerServer, until
from tests.unit.revocast.support import (
    AUDIENCE,
    HandClock,
    HandFeed,
    entry,
    members,
    sign,
    signing_key,
    watermark,
)


@asynccontextmanager
async def guarding(
    issuer: IssuerServer, clock: HandClock, **settings: Any
) -> AsyncIterator[tuple[Guard, HandFeed]]:
    """A guard with its keys, whose feed is at the end of its log and fresh."""
    feed = HandFeed(clock.clock())
    guard = Guard(issuer=issuer.url, audience=AUDIENCE, feed=feed, clock=clock.clock(), **settings)
    async with guard:
        await until(lambda: guard._keys.trouble() is None)
        feed.be_fresh()
        assert guard.ready
        yield guard, feed


def token(issuer: IssuerServer, clock: HandClock, **changes: Any) -> str:
    return sign(members(clock.wall, iss=issuer.url, **changes))


async def test_a_good_token_passes(issuer: IssuerServer) -> None:
    """Its claims come back, and it is counted."""
    clock = HandClock()
    async with guarding(issuer, clock) as (guard, _):
        caller = await guard.check(token(issuer, clock), scopes=["orders.read"])
        assert (caller.sub, caller.client_id, caller.aud) == ("person-1", "web", (AUDIENCE,))
        assert (guard.stats.accepted, guard.stats.accepted_while_stale) == (1, 0)
        assert guard.staleness() == SKEW


async def test_an_entry_denies_from_the_next_check_on(issuer: IssuerServer) -> None:
    """The unexpired token is refused as soon as its family's entry was read."""
    clock = HandClock()
    async with guarding(issuer, clock) as (guard, feed):
        stolen = token(issuer, clock)
        await guard.check(stolen)
        feed.say(entry(SelectorKind.FAMILY, "family-1", expires_at=clock.wall + 60))
        with pytest.raises(RevokedToken, match="entry-1"):
            await guard.check(stolen)
        assert guard.stats.revoked == 1
        assert (await guard.check(token(issuer, clock, family="family-2"))).family == "family-2"


async def test_a_missing_scope_is_no_invalid_token(issuer: IssuerServer) -> None:
    """403 names all that is required, for a token that is otherwise good."""
    clock = HandClock()
    async with guarding(issuer, clock) as (guard, feed):
        with pytest.raises(InsufficientScope) as caught:
            await guard.check(token(issuer, clock), scopes=["orders.read", "admin"])
        assert caught.value.scopes == ("admin", "orders.read")
        feed.say(
            entry(SelectorKind.CLIENT, "web", not_before=clock.wall, expires_at=clock.wall + 60)
        )
        with pytest.raises(RevokedToken):
            await guard.check(token(issuer, clock), scopes=["admin"])


async def test_garbage_and_strange_keys_are_invalid(issuer: IssuerServer) -> None:
    """A token of nobody's key and no token at all get the same answer."""
    clock = HandClock()
    async with guarding(issuer, clock) as (guard, _):
        strange = sign(members(clock.wall, iss=issuer.url), signing_key("ES256", "nobody"))
        for bad in ("", "x", strange, "a.b.c", token(issuer, clock)[:-5]):
            with pytest.raises(InvalidToken):
                await guard.check(bad)
        assert guard.stats.invalid == 5


@pytest.mark.parametrize(
    ("policy", "young", "old"),
    [
        (policies.closed, False, False),
        (policies.open, True, True),
        (policies.bounded(timedelta(seconds=60)), True, False),
    ],
)
@pytest.mark.parametrize("cause", ["stale", "unread", "unreadable"])
async def test_a_policy_decides_while_the_guard_cannot_know(
    issuer: IssuerServer,
    policy: Policy,
    young: bool,
    old: bool,
    cause: str,
) -> None:
    """Beyond the bound, before the end of the log, with an unreadable record: the same rule."""
    clock = HandClock()
    async with guarding(issuer, clock, policy=policy) as (guard, feed):
        aged = token(issuer, clock)
        clock.pass_(60)
        fresh = token(issuer, clock)
        feed.say(watermark(clock.wall - (30 if cause == "stale" else 0)))
        if cause == "unread":
            feed.intake.distrust()
        if cause == "unreadable":
            feed.intake.take(b"family:1|a", b"?")
        assert not guard.ready
        for presented, passes in ((fresh, young), (aged, old)):
            if passes:
                assert (await guard.check(presented)).sub == "person-1"
                continue
            with pytest.raises(Unavailable) as caught:
                await guard.check(presented)
            assert caught.value.detail == guard.trouble()
            assert caught.value.retry_after > 0
        assert guard.stats.accepted_while_stale == young + old
        feed.say(entry(SelectorKind.FAMILY, "family-1", expires_at=clock.wall + 60))
        with pytest.raises(RevokedToken):
            await guard.check(fresh)
        with pytest.raises(InvalidToken):
            await guard.check(token(issuer, clock, aud="https://other.example"))


async def test_the_same_guard_recovers_by_itself(issuer: IssuerServer) -> None:
    """Fresh watermarks are all that it needs."""
    clock = HandClock()
    async with guarding(issuer, clock) as (guard, feed):
        clock.pass_(100)
        presented = token(issuer, clock)
        with pytest.raises(Unavailable):
            await guard.check(presented)
        feed.say(watermark(clock.wall))
        assert (await guard.check(presented)).sub == "person-1"


async def test_without_keys_every_well_formed_token_is_unavailable(issuer: IssuerServer) -> None:
    """No key was ever seen: that says nothing about the token, but garbage stays garbage."""
    await issuer.stop()
    clock = HandClock()
    guard = Guard(
        issuer=issuer.url, audience=AUDIENCE, feed=HandFeed(clock.clock()), clock=clock.clock()
    )
    async with guard:
        with pytest.raises(Unavailable):
            await guard.check(token(issuer, clock))
        with pytest.raises(InvalidToken):
            await guard.check("garbage")
        assert not guard.ready


@pytest.mark.parametrize(
    "settings",
    [
        {"leeway": SKEW + timedelta(seconds=1)},
        {"leeway": timedelta(seconds=-1)},
        {"max_staleness": SKEW},
        {"algorithms": ["HS256"]},
        {"algorithms": ["ES256", "none"]},
        {"algorithms": []},
        {"feed": None},
        {"kafka": "127.0.0.1:9092"},
        {"issuer": "issuer.example"},
    ],
)
async def test_a_setting_that_could_miss_a_revocation_is_refused(settings: dict[str, Any]) -> None:
    """At construction, not at the first token."""
    sound: dict[str, Any] = {
        "issuer": "https://i.example",
        "audience": AUDIENCE,
        "feed": HandFeed(HandClock().clock()),
    }
    Guard(**sound)
    with pytest.raises(ValueError, match=r"leeway|max_staleness|algorithms|feed|issuer"):
        Guard(**(sound | settings))


async def test_a_guard_leaves_nothing_running(issuer: IssuerServer, tmp_path: Path) -> None:
    """After stop no task of it is left, whatever state it was in; and it can start again."""
    before = asyncio.all_tasks()
    guard = Guard(
        issuer=issuer.url,
        audience=AUDIENCE,
        kafka="127.0.0.1:1",
        jwks_path=tmp_path / "keys.json",
    )
    for _ in range(2):
        await guard.start()
        with pytest.raises(RuntimeError):
            await guard.start()
        await until(lambda: guard.stats.feed_rebuilds)
        await guard.stop()
        await until(lambda: asyncio.all_tasks() == before)
    await guard.stop()
