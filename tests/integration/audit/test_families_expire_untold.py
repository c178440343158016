"""A family whose time ran out is told as expired, though nobody wrote an event when it did."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from audit.api.views import family_view
from audit.usecases.tell_family import Window, tell_family
from issuer.domain.client import GrantType
from issuer.domain.outcomes import Minted
from issuer.store.families import Families
from revocast_contracts.codec import TYPES
from revocast_contracts.lifecycle import EndCause
from servicekit.postgres import Pool, create_pool
from tests.support.audit import Story, heard, record
from tests.support.audit_log import until
from tests.support.issuer import CLIENT, a_family, families_on, present, rotated

SOON = timedelta(seconds=1)
LONG = timedelta(days=1)


@pytest.fixture
async def issuing(issuer_database: str) -> AsyncIterator[Families]:
    """An issuer, whose outbox has the real events."""
    pool = await create_pool(issuer_database, size=4, application_name="test")
    try:
        yield families_on(pool)
    finally:
        await pool.close()


async def carried(issuing: Families, pool: Pool, family: UUID | None) -> None:
    """Record what the issuer wrote of a family, as relay and consumer would."""
    rows = await issuing.pool.fetch(
        "SELECT type, occurred_at, data FROM outbox WHERE key = $1 ORDER BY id", str(family)
    )
    for seq, row in enumerate(rows, start=1):
        data = TYPES[row["type"]].model_validate(row["data"])
        await record(pool, heard(data, key=str(family), time=row["occurred_at"], seq=seq))


async def told(pool: Pool, family: object) -> dict[str, Any]:
    """The state, cause and end of a family over HTTP."""
    story = await tell_family(pool, str(family), Window(limit=500))
    assert story is not None
    return family_view(story, None)


async def told_expired(pool: Pool, family: object) -> dict[str, Any]:
    """The same as soon as it is not active, which it is at first."""

    async def ended() -> bool:
        return bool((await told(pool, family))["state"] != "active")

    await until(ended, seconds=10)
    return await told(pool, family)


async def test_a_family_that_nobody_refreshed_in_time_is_expired(
    issuing: Families, pool: Pool
) -> None:
    """Active until the idle expiry that the last rotation set; then expired, at that time."""
    client = replace(CLIENT, refresh_idle_lifetime=SOON, refresh_absolute_lifetime=LONG)
    minted = await a_family(issuing, client)
    again = await rotated(issuing, minted.refresh_token, client)
    await carried(issuing, pool, minted.family)
    view = await told_expired(pool, minted.family)
    assert (view["state"], view["cause"], view["ended_by"]) == ("expired", "idle_expired", [1])
    assert datetime.fromisoformat(view["ended_at"]) == again.issued_at + SOON
    assert not isinstance(await present(issuing, again.refresh_token, client), Minted)


async def test_a_replay_within_grace_does_not_put_expiry_off(issuing: Families, pool: Pool) -> None:
    """It gives the same generation out again; the rotation's time holds, and its event says so."""
    client = replace(CLIENT, refresh_idle_lifetime=LONG, refresh_absolute_lifetime=LONG)
    minted = await a_family(issuing, client)
    again = await rotated(issuing, minted.refresh_token, client)
    await rotated(issuing, minted.refresh_token, client)
    said = await issuing.pool.fetch(
        "SELECT data ->> 'idle_expires_at' AS at FROM outbox WHERE key = $1 ORDER BY id",
        str(minted.family),
    )
    assert [datetime.fromisoformat(row["at"]) for row in said] == [
        minted.issued_at + LONG,
        *[again.issued_at + LONG] * 2,
    ]
    await carried(issuing, pool, minted.family)
    assert (await told(pool, minted.family))["state"] == "active"


async def test_refreshing_does_not_outlast_the_absolute_expiry(
    issuing: Families, pool: Pool
) -> None:
    """The beginning told it, and it comes first."""
    client = replace(CLIENT, refresh_idle_lifetime=SOON, refresh_absolute_lifetime=SOON)
    minted = await a_family(issuing, client)
    await rotated(issuing, minted.refresh_token, client)
    await carried(issuing, pool, minted.family)
    view = await told_expired(pool, minted.family)
    assert (view["state"], view["cause"], view["ended_by"]) == ("expired", "absolute_expired", [0])
    assert datetime.fromisoformat(view["ended_at"]) == minted.issued_at + SOON


async def test_a_family_without_refresh_tokens_expires_with_its_access_token(
    issuing: Families, pool: Pool
) -> None:
    """It has nothing else that could live on."""
    client = replace(
        CLIENT,
        grants=frozenset({GrantType.AUTHORIZATION_CODE}),
        access_token_lifetime=SOON,
    )
    minted = await a_family(issuing, client)
    assert minted.refresh_token is None
    await carried(issuing, pool, minted.family)
    view = await told_expired(pool, minted.family)
    assert (view["state"], view["cause"]) == ("expired", "absolute_expired")
    assert datetime.fromisoformat(view["ended_at"]) == minted.issued_at + SOON


async def test_events_of_before_say_nothing_of_expiry(pool: Pool) -> None:
    """A family whose events tell no times is active until it is ended or refused."""
    story = Story(now=datetime.fromisoformat("2026-01-01T00:00:00Z"))
    await record(pool, story.started(), story.rotated(2))
    assert (await told(pool, story.family))["state"] == "active"
    await record(pool, story.ended(EndCause.LOGOUT))
    view = await told(pool, story.family)
    assert (view["state"], view["cause"]) == ("ended", "logout")


async def test_an_end_before_the_expiry_stays_the_end(issuing: Families, pool: Pool) -> None:
    """What somebody ended is not expired later."""
    client = replace(
        CLIENT, grace=timedelta(0), refresh_idle_lifetime=SOON, refresh_absolute_lifetime=LONG
    )
    minted = await a_family(issuing, client)
    end = (await rotated(issuing, minted.refresh_token, client)).issued_at + SOON
    await present(issuing, minted.refresh_token, client)
    await carried(issuing, pool, minted.family)
    assert (await told(pool, minted.family))["cause"] == "reuse"

    async def is_past() -> bool:
        past: bool = await pool.fetchval("SELECT clock_timestamp() > $1", end)
        return past

    await until(is_past, seconds=10)
    view = await told(pool, minted.family)
    assert (view["state"], view["cause"]) == ("ended", "reuse")
