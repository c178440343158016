"""Who may do what on Kafka: what each process needs and no more, derived from the contracts."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from revocast_contracts.topics import DEAD_LETTER, REVOCATIONS, TOPICS

Operation = Literal["Read", "Write", "Describe", "DescribeConfigs"]

SERVICES = ("issuer", "revocation", "audit")
RESOURCE_SERVER = "resource-server"
GROUPS = ("revocation", "audit")
"""Consumer groups have the names of their services."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One operation that a principal may do on a topic or a consumer group of that name."""

    operation: Operation
    kind: Literal["topic", "group"]
    name: str


def grants(service: str) -> list[Grant]:
    """All that `issuer`, `revocation`, `audit` or a `resource-server` needs.

    A writer reads its own topics: it compares their ends with its outbox. Whoever validates tokens
    reads revocations. Any consumer may have to write a dead letter.
    """
    return list(dict.fromkeys(_grants(service)))


def commands(service: str, principal: str) -> list[str]:
    """The arguments of Kafka's `kafka-acls.sh` that grant it all, one command a line."""
    return [
        f"--add --allow-principal {principal} --operation {grant.operation}"
        f" --{grant.kind} {grant.name}"
        for grant in grants(service)
    ]


def _grants(service: str) -> Iterator[Grant]:
    for topic in TOPICS:
        writes = topic.writer == service
        if writes or service in topic.readers or topic is REVOCATIONS:
            yield Grant(operation="Read", kind="topic", name=topic.name)
        if writes or (topic is DEAD_LETTER and service in SERVICES):
            yield Grant(operation="Write", kind="topic", name=topic.name)
        if service in SERVICES:  # they refuse to work with a topic that forgets too early
            yield Grant(operation="Describe", kind="topic", name=topic.name)
            yield Grant(operation="DescribeConfigs", kind="topic", name=topic.name)
    if service in GROUPS:
        yield Grant(operation="Read", kind="group", name=service)
