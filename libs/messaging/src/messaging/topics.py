"""Makes the topics that the contracts list, and refuses ones that keep less than they must."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import NoError, TopicAlreadyExistsError, for_code

from messaging.security import Security
from revocast_contracts.topics import TOPICS, Topic


class TopicRefusedError(Exception):
    """A topic exists but is not as the contracts say. `str()` says what to change."""


async def ensure_topics(
    bootstrap: str, *, replication: int, security: Security | None = None
) -> list[str]:
    """Create the topics that are missing, `replication` copies each; the names of the new ones.

    Raises:
        TopicRefusedError: an existing topic has other partitions, or keeps less.
        KafkaError: the broker can't be reached.
    """
    async with _admin(bootstrap, security) as admin:
        existing = set(await admin.list_topics())
        missing = [topic for topic in TOPICS if topic.name not in existing]
        made = await _make(admin, missing, replication) if missing else []
        for topic in TOPICS:
            if topic.name in existing:
                await _check(admin, topic)
    return made


async def check_topic(bootstrap: str, topic: Topic) -> None:
    """Refuse a topic that is not as the contracts say.

    Raises:
        TopicRefusedError: it is missing, has other partitions, or keeps less.
    """
    async with _admin(bootstrap, None) as admin:
        if topic.name not in await admin.list_topics():
            raise TopicRefusedError(f"{topic.name} does not exist: python -m messaging topics")
        await _check(admin, topic)


@asynccontextmanager
async def _admin(bootstrap: str, security: Security | None) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, **(security or {}))
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


async def _make(
    admin: AIOKafkaAdminClient, missing: Sequence[Topic], replication: int
) -> list[str]:
    """Another process may be making them at this moment; the names of those that we made."""
    answer = await admin.create_topics([_new(topic, replication) for topic in missing])
    codes = {name: code for name, code, *_why in answer.topic_errors}
    for code in codes.values():
        if code not in (NoError.errno, TopicAlreadyExistsError.errno):
            raise for_code(code)
    return [name for name, code in codes.items() if code == NoError.errno]


def _new(topic: Topic, replication: int) -> NewTopic:
    config = topic.broker_config()
    if replication >= 3:
        config["min.insync.replicas"] = "2"
    return NewTopic(topic.name, topic.partitions, replication, topic_configs=config)


async def _check(admin: AIOKafkaAdminClient, topic: Topic) -> None:
    described = (await admin.describe_topics([topic.name]))[0]
    partitions = len(described["partitions"])
    if partitions != topic.partitions:
        raise TopicRefusedError(f"{topic.name} has {partitions} partitions, not {topic.partitions}")
    config = await _config(admin, topic)
    asked = topic.broker_config()
    kept, least = int(config["retention.ms"]), int(asked["retention.ms"])
    if 0 <= kept < least or (least < 0 <= kept):
        raise TopicRefusedError(f"{topic.name} keeps {kept} ms; set retention.ms to {least}")
    cleanup = set(config["cleanup.policy"].split(","))
    if cleanup != set(asked["cleanup.policy"].split(",")):
        raise TopicRefusedError(f"{topic.name}: set cleanup.policy to {asked['cleanup.policy']}")


async def _config(admin: AIOKafkaAdminClient, topic: Topic) -> dict[str, str]:
    resource = ConfigResource(ConfigResourceType.TOPIC, topic.name)
    responses = await admin.describe_configs([resource])
    return {entry[0]: entry[1] for entry in responses[0].resources[0][4]}
