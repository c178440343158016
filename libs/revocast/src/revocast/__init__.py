"""Validate JWTs locally and still refuse a revoked one at once."""

from revocast import pkce, policies
from revocast.claims import Claims
from revocast.errors import (
    InsufficientScope,
    InvalidRequest,
    InvalidToken,
    NoToken,
    RevokedToken,
    TokenRefused,
    Unavailable,
)
from revocast.feed import Feed
from revocast.guard import Guard
from revocast.kafka_feed import KafkaFeed
from revocast.policies import Policy
from revocast.revocations import Entry, Revocations
from revocast.stats import Stats

__all__ = [
    "Claims",
    "Entry",
    "Feed",
    "Guard",
    "InsufficientScope",
    "InvalidRequest",
    "InvalidToken",
    "KafkaFeed",
    "NoToken",
    "Policy",
    "Revocations",
    "RevokedToken",
    "Stats",
    "TokenRefused",
    "Unavailable",
    "pkce",
    "policies",
]
