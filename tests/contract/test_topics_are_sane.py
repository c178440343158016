import re
from datetime import timedelta

import pytest

from revocast_contracts.codec import TYPES
from revocast_contracts.lifetimes import (
    ENTRY_LIFETIME,
    LONGEST_ACCESS_TOKEN,
    PENDING_RESENT,
    REVOCATIONS_RETENTION,
    SKEW,
)
from revocast_contracts.topics import (
    AUDIT_CHECKPOINTS,
    REVOCATIONS,
    TOKEN_LIFECYCLE,
    TOPIC_BY_NOUN,
    TOPICS,
    WATERMARK_SOURCES,
    Topic,
)


def test_names_are_unique_and_plain() -> None:
    """Topics are lower case with hyphens, between the prefix and the version."""
    names = [topic.name for topic in TOPICS]
    assert len(set(names)) == len(names)
    for name in names:
        assert re.fullmatch(r"revocast\.[a-z]+(-[a-z]+)*\.v1", name)
    assert {noun: topic.noun for noun, topic in TOPIC_BY_NOUN.items()} == {
        topic.noun: topic.noun for topic in TOPICS
    }


def test_a_type_belongs_to_one_topic_and_is_named_by_the_rule() -> None:
    """`revocast.<noun>.<participle>.v<n>`, each said on exactly one topic."""
    listed = [data.event_type for topic in TOPICS for data in topic.types]
    assert len(listed) == len(set(listed)) == len(TYPES)
    for event_type in listed:
        assert re.fullmatch(r"revocast\.[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*\.v[1-9]", event_type)


@pytest.mark.parametrize(
    ("topic", "key", "shard"),
    [
        (TOKEN_LIFECYCLE, "018f3c1a-7b2e-7c41-9d5a-3f6b8e2c1d04", 9),
        (TOKEN_LIFECYCLE, "web-shop", 4),
        (TOKEN_LIFECYCLE, "", 0),
        (TOKEN_LIFECYCLE, "123456789", 0xCBF43926 % 12),  # the check value of CRC-32
        (TOKEN_LIFECYCLE, "clé", 0),
        (TOPIC_BY_NOUN["issuer-activity"], "web-shop", 1),
        (TOPIC_BY_NOUN["security-signals"], "family:018f3c1a", 1),
        (REVOCATIONS, "anything", 0),
    ],
)
def test_a_key_keeps_its_shard(topic: Topic, key: str, shard: int) -> None:
    """Moving a key to another partition would lose the order of its events."""
    assert topic.shard(key) == shard


def test_partitions_are_those_that_shards_were_computed_with() -> None:
    """The number of partitions is part of a topic's version: rows carry their shard."""
    assert {topic.noun: topic.partitions for topic in TOPICS} == {
        "token-lifecycle": 12,
        "issuer-activity": 3,
        "security-signals": 3,
        "revocations": 1,
        "audit-checkpoints": 1,
        "dead-letter": 3,
    }


def test_the_broker_is_told_what_the_registry_says() -> None:
    """Times in milliseconds, -1 for ever, and short segments where compaction must bite."""
    created = {"message.timestamp.type": "CreateTime"}
    assert TOKEN_LIFECYCLE.broker_config() == {
        "cleanup.policy": "delete",
        "retention.ms": "604800000",
        **created,
    }
    assert REVOCATIONS.broker_config() == {
        "cleanup.policy": "compact,delete",
        "retention.ms": "4510000",
        "segment.ms": "600000",
        **created,
    }
    assert AUDIT_CHECKPOINTS.broker_config() == {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        **created,
    }


def test_an_entry_outlives_every_token_it_kills() -> None:
    """Retention > entry > longest token + skew; a pending entry is sent again well within that."""
    assert ENTRY_LIFETIME >= LONGEST_ACCESS_TOKEN + SKEW
    assert REVOCATIONS.retention == REVOCATIONS_RETENTION
    assert ENTRY_LIFETIME + timedelta(hours=1) <= REVOCATIONS_RETENTION
    assert PENDING_RESENT * 2 < ENTRY_LIFETIME


def test_a_reader_waits_for_every_shard_and_the_revocation_service() -> None:
    """The sources of watermarks are the lifecycle's shards and the only writer of entries."""
    shards = [f"token-lifecycle/{shard}" for shard in range(12)]
    assert list(WATERMARK_SOURCES) == [*shards, "revocation"]
