from typing import Any

import pytest
import yaml

from messaging.broker import asyncapi
from revocast_contracts.codec import TYPES
from revocast_contracts.topics import TOPICS
from tests.support.events import CONTRACTS

SERVICES = ["issuer", "revocation", "audit"]
Side = tuple[str, str]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The committed document."""
    parsed: dict[str, Any] = yaml.safe_load((CONTRACTS / "asyncapi.yaml").read_text())
    return parsed


def channel_of(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
    """The channel that an operation is about."""
    channel: dict[str, Any] = at(document, operation["channel"]["$ref"])
    return channel


def at(document: dict[str, Any], reference: str) -> Any:
    """What a reference within the document names."""
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def sides(document: dict[str, Any], service: str | None = None) -> set[Side]:
    """Direction and address of each operation, of one service if one is named."""
    return {
        (operation["action"], channel_of(document, operation)["address"])
        for operation in document["operations"].values()
        if service is None or {"name": service} in operation["tags"]
    }


@pytest.mark.parametrize("service", SERVICES)
def test_faststream_sees_the_same_channels(document: dict[str, Any], service: str) -> None:
    """What a service says and hears is the same in asyncapi.yaml and in FastStream's view of it."""
    seen = sides(asyncapi(service, bootstrap="localhost:9092"))
    assert seen
    assert seen == sides(document, service)


def test_channels_carry_their_topics_settings(document: dict[str, Any]) -> None:
    """Partitions, cleanup and retention are those that topics are created with."""
    for topic in TOPICS:
        config = topic.broker_config()
        channel = document["channels"][topic.noun]
        assert channel["address"] == topic.name
        kafka = channel["bindings"]["kafka"]
        assert (kafka["topic"], kafka["partitions"]) == (topic.name, topic.partitions)
        assert kafka["topicConfiguration"] == {
            "cleanup.policy": config["cleanup.policy"].split(","),
            "retention.ms": int(config["retention.ms"]),
        }
        assert list(channel["messages"]) == [data.event_type for data in topic.types]


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    """Channels and messages exist in the document, payloads as schema files, and all are named."""
    messages = document["components"]["messages"]
    assert set(messages) == set(TYPES)
    for event_type, message in messages.items():
        assert message["payload"] == {"$ref": f"schemas/{event_type}.json"}
        assert (CONTRACTS / message["payload"]["$ref"]).is_file()
        assert message["bindings"]["kafka"]["key"]["type"] == "string"
    for channel in document["channels"].values():
        for event_type, reference in channel["messages"].items():
            assert at(document, reference["$ref"])["name"] == event_type
