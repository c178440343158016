from typing import Any
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from structlog.testing import capture_logs

from messaging.postgres import Pool
from messaging.seat import seat
from revocast_contracts.topics import TOKEN_LIFECYCLE
from tests.integration.messaging.support import (
    a_consumer,
    a_relay,
    admin,
    fact,
    handled,
    process,
    running,
    say,
    until,
    until_handled,
)

KEYS = 4 * TOKEN_LIFECYCLE.partitions
"""So many keys that every partition has some."""


@pytest.fixture
def group() -> str:
    """A group that nobody was ever in, so that no member of another test is waited for."""
    return f"seats-{uuid4()}"


async def test_a_killed_member_comes_back_without_a_rebalance(
    bootstrap: str, outbox_pool: Pool, heard: str, heard_pool: Pool, group: str
) -> None:
    """It has its partitions again, and the other member was asked for nothing meanwhile."""
    relay = a_relay(outbox_pool, bootstrap)
    other = a_consumer(heard_pool, bootstrap, group=group, seat="other")
    with capture_logs() as logs:
        async with running(relay.run, other.run):
            async with process("consumer_process", heard, bootstrap, group, "killed"):
                await _shared(logs, group)
                await say(outbox_pool, *(fact(f"key {n}", 1) for n in range(KEYS)))
                await until_handled(heard_pool, KEYS)
            before = len(_assignments(logs, group))
            async with process("consumer_process", heard, bootstrap, group, "killed"):
                await say(outbox_pool, *(fact(f"key {n}", 2) for n in range(KEYS)))
                await until_handled(heard_pool, 2 * KEYS)
                assert len(_assignments(logs, group)) == before
    assert sorted(await handled(heard_pool)) == sorted(
        (f"key {n}", number) for n in range(KEYS) for number in (1, 2)
    )


async def test_a_member_that_ends_in_order_leaves_its_seat(
    bootstrap: str, heard_pool: Pool, group: str
) -> None:
    """Nobody waits for its session to run out: once it has ended, the group is empty."""
    consumer = a_consumer(heard_pool, bootstrap, group=group, seat="ended")
    async with admin(bootstrap) as client:
        async with running(consumer.run):

            async def joined() -> bool:
                return await _members(client, group) == 1

            await until(joined, "a member of the group")
        assert await _members(client, group) == 0


def test_a_seat_is_the_same_after_a_restart_and_another_for_another_port() -> None:
    """The port tells processes of a host apart; without one there is no seat."""
    assert seat(8401) == seat(8401)
    assert seat(8401) != seat(8402)
    assert seat(0) is None


async def _shared(logs: list[Any], group: str) -> None:
    """Wait until the member of this process has only a part of the partitions."""

    async def with_another() -> bool:
        assigned = _assignments(logs, group)
        return bool(assigned) and 0 < assigned[-1] < TOKEN_LIFECYCLE.partitions

    await until(with_another, "the partitions are shared by two")


def _assignments(logs: list[Any], group: str) -> list[int]:
    return [
        line["partitions"]
        for line in logs
        if line["event"] == "partitions assigned" and line["group"] == group
    ]


async def _members(client: AIOKafkaAdminClient, group: str) -> int:
    (answer,) = await client.describe_consumer_groups([group])
    return len(answer.groups[0][5])
