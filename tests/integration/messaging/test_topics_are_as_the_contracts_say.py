import asyncio
import sys

import pytest
from aiokafka.admin import NewTopic

from messaging.broker import asyncapi
from messaging.topics import TopicRefusedError, check_topic, ensure_topics
from revocast_contracts.topics import REVOCATIONS, TOPICS
from tests.integration.messaging.support import CHECKOUT, admin, make_topics_anew, until


async def test_making_them_twice_changes_nothing(bootstrap: str) -> None:
    """Topics that exist as they must are left alone."""
    assert await ensure_topics(bootstrap, replication=1) == []


async def test_two_processes_may_make_them_at_once(bootstrap: str) -> None:
    """Whoever comes second takes what the first one made."""
    await make_topics_anew(bootstrap)
    made = await asyncio.gather(*(ensure_topics(bootstrap, replication=1) for _ in range(3)))
    assert all(isinstance(names, list) for names in made)


async def test_a_topic_that_forgets_too_early_is_refused(bootstrap: str) -> None:
    """A revocations topic with less retention than the contract's is named, with what to set."""
    async with admin(bootstrap) as client:
        await client.delete_topics([REVOCATIONS.name])

        async def gone() -> bool:
            return REVOCATIONS.name not in await client.list_topics()

        await until(gone, "topic deleted")
        config = {"retention.ms": "60000", "cleanup.policy": "compact,delete"}
        await client.create_topics([NewTopic(REVOCATIONS.name, 1, 1, topic_configs=config)])
    for asked in (ensure_topics(bootstrap, replication=1), check_topic(bootstrap, REVOCATIONS)):
        with pytest.raises(TopicRefusedError, match=r"retention\.ms"):
            await asked


async def test_the_command_makes_them(bootstrap: str) -> None:
    """`python -m messaging topics` ends with 0 and says how many it made."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "messaging", "topics", "--bootstrap", bootstrap, "--replication", "1",
        cwd=CHECKOUT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await child.communicate()
    assert (child.returncode, out) == (0, b"topics: 0 made\n")


def test_every_service_declares_what_the_registry_says() -> None:
    """FastStream's view of a service sends what it writes and receives what it reads."""
    for service in ("issuer", "revocation", "audit"):
        document = asyncapi(service, bootstrap="kafka:9092")
        said = {
            (operation["action"], document["channels"][name]["address"])
            for name, operation in document["operations"].items()
        }
        written = {("send", topic.name) for topic in TOPICS if topic.writer == service}
        assert said == written | {("receive", t.name) for t in TOPICS if service in t.readers}
