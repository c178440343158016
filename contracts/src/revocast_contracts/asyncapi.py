"""The registry of topics as an AsyncAPI 3.0.0 document."""

from itertools import chain
from typing import Any

from revocast_contracts.envelope import CONTENT_TYPE, Data
from revocast_contracts.topics import TOPICS, Topic

RELEASE = "0.1.0"
"""The version of these contracts; `released/` holds the schemas of each."""

KAFKA_BINDING = "0.5.0"


def asyncapi_document() -> dict[str, Any]:
    """Channels, messages and who sends or receives them; payloads are in `schemas/`."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Revocast events",
            "version": RELEASE,
            "description": "Made from the registry of topics by `make contracts`.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {topic.noun: _channel(topic) for topic in TOPICS},
        "operations": dict(chain.from_iterable(_operations(topic) for topic in TOPICS)),
        "components": {
            "messages": {
                data.event_type: _message(topic, data) for topic in TOPICS for data in topic.types
            }
        },
    }


def _channel(topic: Topic) -> dict[str, Any]:
    config = topic.broker_config()
    return {
        "address": topic.name,
        "title": topic.noun,
        "description": f"Key: {topic.key}. Written by {topic.writer}.",
        "messages": {
            data.event_type: {"$ref": f"#/components/messages/{data.event_type}"}
            for data in topic.types
        },
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": config["cleanup.policy"].split(","),
                    "retention.ms": int(config["retention.ms"]),
                },
                "bindingVersion": KAFKA_BINDING,
            }
        },
        "x-broker-config": config,
    }


def _message(topic: Topic, data: type[Data]) -> dict[str, Any]:
    return {
        "name": data.event_type,
        "title": data.__name__,
        "summary": (data.__doc__ or "").splitlines()[0],
        "contentType": CONTENT_TYPE,
        "correlationId": {"location": "$message.payload#/correlationid"},
        "payload": {"$ref": f"schemas/{data.event_type}.json"},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": topic.key},
                "bindingVersion": KAFKA_BINDING,
            }
        },
    }


def _operations(topic: Topic) -> list[tuple[str, dict[str, Any]]]:
    sides = [(topic.writer, "send"), *((reader, "receive") for reader in topic.readers)]
    return [
        (
            f"{who.replace(' ', '-')}-{action}s-{topic.noun}",
            {
                "action": action,
                "channel": {"$ref": f"#/channels/{topic.noun}"},
                "tags": [{"name": who}],
            },
        )
        for who, action in sides
    ]
