"""Notices that a topic was deleted and made again under its name, which Kafka does not say.

A consumer at offset 50 of the old log goes on silently at record 50 of the new one. So a record
read a while ago is read again now and then: in another log, another record stands there.
"""

from collections.abc import Mapping
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition

from revocast.feed import LogReplacedError


class AnchorGoneError(Exception):
    """The older record was compacted away, so it proves nothing; reading all again does."""


class LogWatch:
    """What was read of each partition: `latest`, and an older record that is asked for again."""

    def __init__(self) -> None:
        self._latest: dict[TopicPartition, ConsumerRecord] = {}
        self._anchors: dict[TopicPartition, ConsumerRecord] = {}
        self._asked: set[TopicPartition] = set()

    def is_news(self, record: ConsumerRecord) -> bool:
        """Whether this record was not read before.

        Raises:
            LogReplacedError: it stands where another record stood.
            AnchorGoneError: the record that was asked for is not there any more.
        """
        place = TopicPartition(record.topic, record.partition)
        if place in self._asked:
            self._asked.discard(place)
            _compare(record, self._anchors[place])
            self._anchors[place] = self._latest[place]
        latest = self._latest.setdefault(place, record)
        self._anchors.setdefault(place, record)
        if record.offset > latest.offset:
            self._latest[place] = record
        return latest is record or record.offset > latest.offset

    def places(self) -> list[TopicPartition]:
        """The partitions of which something was read."""
        return list(self._latest)

    def ask_again(self, consumer: Any, ends: Mapping[TopicPartition, int]) -> None:
        """Let the consumer fetch each partition's anchor once more.

        Raises:
            LogReplacedError: by `ends`, the log ends before what was read of it.
        """
        for place, latest in self._latest.items():
            if ends[place] <= latest.offset:
                raise LogReplacedError(f"it ends at {ends[place]}, but {latest.offset} was read")
            consumer.seek(place, self._anchors[place].offset)
            self._asked.add(place)


def _compare(record: ConsumerRecord, anchor: ConsumerRecord) -> None:
    if record.offset > anchor.offset:
        raise AnchorGoneError(f"offset {anchor.offset} was compacted")
    if _identity(record) != _identity(anchor):
        raise LogReplacedError(f"another record stands at offset {record.offset}")


def _identity(record: ConsumerRecord) -> tuple[int, int, bytes | None, bytes | None]:
    return record.offset, record.timestamp, record.key, record.value
