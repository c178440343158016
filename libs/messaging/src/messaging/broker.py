"""What each service says and hears, declared with FastStream; its AsyncAPI answers to contracts.

Only the declaration: the records themselves go through `relay` and `consume` (decision 0001).
"""

from typing import Any

from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.specification import AsyncAPI

from revocast_contracts.topics import TOPICS, Topic


def declare(service: str, *, bootstrap: str) -> KafkaBroker:
    """A broker with a publisher for each topic the service writes, a subscriber for each it reads.

    Nothing may be acknowledged before it was processed, which is FastStream's default: the policy
    is set for whoever adds a handler.
    """
    broker = KafkaBroker(bootstrap, ack_policy=AckPolicy.MANUAL, logger=None)
    for topic in TOPICS:
        if topic.writer == service:
            broker.publisher(topic.name, title=topic.noun, description=_describe(topic))
        if service in topic.readers:
            subscriber = broker.subscriber(
                topic.name, title=topic.noun, description=_describe(topic), group_id=service
            )
            subscriber(_hear)
    return broker


def asyncapi(service: str, *, bootstrap: str) -> dict[str, Any]:
    """The service's AsyncAPI 3.0 document, as FastStream sees it."""
    broker = declare(service, bootstrap=bootstrap)
    document = AsyncAPI(broker, title=service, version="1")
    described: dict[str, Any] = document.to_specification().to_jsonable()
    return described


def _describe(topic: Topic) -> str:
    return f"Key: {topic.key}. Types: {', '.join(data.event_type for data in topic.types)}."


async def _hear(value: bytes) -> None:
    """Stands for the handler in the declaration."""
