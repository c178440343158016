"""Two issuers, the one that publishes dies: the other goes on, and nothing is lost or doubled."""

import asyncio
import os
import signal
from collections.abc import Iterator

import asyncpg
import pytest

from tests.support.breakable import BreakableSystem, breakable
from tests.support.deadlines import until
from tests.support.ledger import assert_each_once
from tests.support.postgres import apart
from tests.support.traffic import Traffic, signed_in

SECONDS = 15.0
"""For what takes the lease's three seconds on an idle machine."""


@pytest.fixture(scope="module")
def system() -> Iterator[BreakableSystem]:
    """A system whose processes this module may kill."""
    with breakable() as system:
        system.unsupervised()
        yield system


def test_what_a_killed_owner_left_is_published_once_within_seconds(
    system: BreakableSystem,
) -> None:
    """Owner after owner is killed amid traffic; the standby publishes all, each event once."""
    with system.more_issuers(1) as others:
        traffic = Traffic(system, [system.demo.issuer, *others])
        apart(_kill_two_owners(system, traffic))
        assert traffic.lost > 0
        assert set(traffic.refusals) <= {503}
        assert_each_once(system, traffic.answered, seconds=SECONDS)


async def _kill_two_owners(system: BreakableSystem, traffic: Traffic) -> None:
    issuer = system.stack.services["issuer"]
    async with traffic.flowing(await asyncio.to_thread(signed_in, system, 3)):
        await _more_answers(traffic)
        owner = await _owner(system)
        assert owner == issuer.pid
        await asyncio.to_thread(issuer.kill)
        standby = await _new_owner(system, owner)
        await _more_answers(traffic)
        await asyncio.to_thread(issuer.start)
        await asyncio.to_thread(issuer.wait_until_ready)
        os.kill(standby, signal.SIGKILL)
        assert await _new_owner(system, standby) == issuer.pid
        await _more_answers(traffic)


def test_an_owner_that_ends_in_order_loses_nothing(system: BreakableSystem) -> None:
    """SIGTERM: what was answered is published, and who stands by goes on."""
    with system.more_issuers(1) as others:
        traffic = Traffic(system, [system.demo.issuer, *others])
        apart(_stop_the_owner(system, traffic))
        assert set(traffic.refusals) <= {503}
        assert_each_once(system, traffic.answered, seconds=SECONDS)


async def _stop_the_owner(system: BreakableSystem, traffic: Traffic) -> None:
    issuer = system.stack.services["issuer"]
    async with traffic.flowing(await asyncio.to_thread(signed_in, system, 3)):
        await _more_answers(traffic)
        owner = await _owner(system)
        assert owner == issuer.pid
        await asyncio.to_thread(issuer.stop)
        await _new_owner(system, owner)
        await _more_answers(traffic)
        await asyncio.to_thread(issuer.start)
        await asyncio.to_thread(issuer.wait_until_ready)


async def _more_answers(traffic: Traffic) -> None:
    enough = len(traffic.answered) + 60
    await until(lambda: len(traffic.answered) > enough, seconds=60)


async def _new_owner(system: BreakableSystem, before: int) -> int:
    """Wait until another process than `before` holds the lease; its id."""
    async with asyncio.timeout(SECONDS):
        while (owner := await _owner(system)) in {0, before}:
            await asyncio.sleep(0.05)
    return owner


async def _owner(system: BreakableSystem) -> int:
    """The process that holds the lease of the issuer's outbox; 0 when it has run out."""
    connection = await asyncpg.connect(system.postgres.address("revocast_issuer"))
    try:
        owner: str | None = await connection.fetchval(
            "SELECT owner FROM relay_lease WHERE expires_at > clock_timestamp()"
        )
    finally:
        await connection.close()
    return 0 if owner is None else int(owner.split("/")[1])
