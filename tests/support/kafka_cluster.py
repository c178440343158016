"""Kafka nodes that are one cluster: as many copies as nodes, acknowledged by more than half."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient

from devstack.errors import DevstackError
from devstack.kafka import Kafka
from devstack.quorum import Quorum

HEAP_MB = {1: 512, 3: 320}


@contextmanager
def cluster(directory: Path, count: int) -> Iterator[tuple[Kafka, ...]]:
    """Start so many nodes together; end all of them, whatever is left of them."""
    quorum = Quorum.of(count)
    nodes = tuple(
        Kafka(directory / str(number), heap_mb=HEAP_MB[count], quorum=quorum, node=number)
        for number in range(1, count + 1)
    )
    with ThreadPoolExecutor(count) as threads:
        try:
            # None serves before more than half of them have found each other.
            list(threads.map(Kafka.start, nodes))
            yield nodes
        except DevstackError as error:
            fates = "; ".join(node.fate() for node in nodes)
            raise DevstackError(f"{error}; {fates}") from error
        finally:
            list(threads.map(Kafka.stop, nodes))


async def leader(bootstrap: str, topic: str, partition: int = 0) -> int:
    """The id of the node that leads a partition; -1: nobody."""
    for described in await _described(bootstrap, [topic]):
        for each in described["partitions"]:
            if each["partition"] == partition:
                return int(each["leader"])
    return -1


async def out_of_sync(bootstrap: str, topics: Sequence[str]) -> list[str]:
    """The partitions of which some node has not all."""
    return [
        f"{described['topic']}/{each['partition']}"
        for described in await _described(bootstrap, topics)
        for each in described["partitions"]
        if len(each["isr"]) < len(each["replicas"])
    ]


async def _described(bootstrap: str, topics: Sequence[str]) -> list[dict[str, Any]]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        found: list[dict[str, Any]] = await admin.describe_topics(list(topics))
        return found
    finally:
        await admin.close()
