"""The registry of topics: name, key, partitions, cleanup, retention, writer, readers, types.

Topics are created from it, `asyncapi.yaml` is made from it, and no topic is named anywhere else.
"""

import zlib
from dataclasses import dataclass
from datetime import timedelta

from revocast_contracts import activity, checkpoints, dead_letters, lifecycle, revocations, signals
from revocast_contracts.envelope import Data
from revocast_contracts.lifetimes import REVOCATIONS_RETENTION

PREFIX = "revocast."
SUFFIX = ".v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic. `retention` is None where records stay for ever."""

    noun: str
    key: str
    partitions: int
    compacted: bool
    retention: timedelta | None
    writer: str
    readers: tuple[str, ...]
    types: tuple[type[Data], ...]
    segment: timedelta | None = None

    @property
    def name(self) -> str:
        """The topic's name on the broker."""
        return f"{PREFIX}{self.noun}{SUFFIX}"

    def shard(self, key: str) -> int:
        """The partition of a key. Stable for the life of this version of the topic."""
        return zlib.crc32(key.encode()) % self.partitions

    def broker_config(self) -> dict[str, str]:
        """The topic's settings in Kafka's words, times in milliseconds."""
        retention = -1 if self.retention is None else _milliseconds(self.retention)
        config = {
            "cleanup.policy": "compact,delete" if self.compacted else "delete",
            "retention.ms": str(retention),
            "message.timestamp.type": "CreateTime",
        }
        if self.segment is not None:
            config["segment.ms"] = str(_milliseconds(self.segment))
        return config


def _milliseconds(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


TOKEN_LIFECYCLE = Topic(
    noun="token-lifecycle",
    key="family, or client for client credentials",
    partitions=12,
    compacted=False,
    retention=timedelta(days=7),
    writer="issuer",
    readers=("revocation", "audit"),
    types=(
        lifecycle.TokenIssued,
        lifecycle.TokenRotated,
        lifecycle.TokenReplayed,
        lifecycle.TokenPresentedStale,
        lifecycle.TokenDenied,
        lifecycle.TokenRevoked,
        lifecycle.FamilyEnded,
        lifecycle.ClientDisabled,
        lifecycle.KillApplied,
        lifecycle.WatermarkPassed,
    ),
)
ISSUER_ACTIVITY = Topic(
    noun="issuer-activity",
    key="subject or client",
    partitions=3,
    compacted=False,
    retention=timedelta(days=7),
    writer="issuer",
    readers=("audit",),
    types=(
        activity.LoginSucceeded,
        activity.LoginFailed,
        activity.ConsentGranted,
        activity.ConsentWithdrawn,
        activity.ClientRegistered,
        activity.ClientChanged,
        activity.AccountCreated,
        activity.AccountDisabled,
        activity.AccountPasswordSet,
        activity.SessionEnded,
        activity.SigningKeyAdded,
        activity.SigningKeyRetired,
        activity.GuessCounted,
    ),
)
SECURITY_SIGNALS = Topic(
    noun="security-signals",
    key="selector",
    partitions=3,
    compacted=False,
    retention=timedelta(days=30),
    writer="revocation",
    readers=("audit",),
    types=(
        signals.ReuseDetected,
        signals.KillDecided,
        signals.KillCompleted,
        signals.AnomalyDetected,
    ),
)
REVOCATIONS = Topic(
    noun="revocations",
    key="selector, entry id and state",
    partitions=1,
    compacted=True,
    retention=REVOCATIONS_RETENTION,
    segment=timedelta(minutes=10),
    writer="revocation",
    readers=("issuer", "resource servers"),
    types=(revocations.RevocationEntry, revocations.RevocationWatermark),
)
AUDIT_CHECKPOINTS = Topic(
    noun="audit-checkpoints",
    key="log",
    partitions=1,
    compacted=False,
    retention=None,
    writer="audit",
    readers=("monitors", "witnesses"),
    types=(checkpoints.CheckpointSigned,),
)
DEAD_LETTER = Topic(
    noun="dead-letter",
    key="original",
    partitions=3,
    compacted=False,
    retention=timedelta(days=30),
    writer="every consumer",
    readers=("audit", "operators"),
    types=(dead_letters.LetterDied,),
)

TOPICS: tuple[Topic, ...] = (
    TOKEN_LIFECYCLE,
    ISSUER_ACTIVITY,
    SECURITY_SIGNALS,
    REVOCATIONS,
    AUDIT_CHECKPOINTS,
    DEAD_LETTER,
)
TOPIC_BY_NOUN = {topic.noun: topic for topic in TOPICS}

WATERMARK_SOURCES: tuple[str, ...] = (
    *(f"{TOKEN_LIFECYCLE.noun}/{shard}" for shard in range(TOKEN_LIFECYCLE.partitions)),
    "revocation",
)
"""Every source a reader must have heard of before it may call itself ready."""
