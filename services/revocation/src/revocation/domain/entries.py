"""Which entry a fact makes: its id, so that saying it again is the same record, and its expiry."""

from datetime import datetime, timedelta
from uuid import UUID, uuid5

NAMESPACE = UUID("b7a1b2f6-5a57-4d3e-9a26-0f6a1c0f4a11")

COLLAPSE_MARGIN = timedelta(minutes=1)
"""How much longer a session's entry lives than one family of it needs: families of the same
sign-out that were ended a moment later need no entry of their own."""


def entry_id(kind: str, value: str, cause: str, *, from_moment: datetime | None = None) -> str:
    """The id of the entry for a selector and cause. Deterministic.

    `from_moment` tells apart entries whose values must not change one another's: those with a
    `not_before`, and those for a fact that came again when an earlier entry was about to expire.
    """
    moment = f"@{from_moment.isoformat()}" if from_moment else ""
    return str(uuid5(NAMESPACE, f"{kind}:{value}:{cause}{moment}"))


def anomaly_kill_id(family: str, *, epoch: int) -> str:
    """The id of the detector's kill of a family: one, however often and why it is decided.

    A new epoch may mean that the issuer's database was restored and lost the kill: decide again.
    """
    return str(uuid5(NAMESPACE, f"kill:family:{family}:{epoch}"))


def reuse_signal_id(event_id: UUID) -> UUID:
    """The id of the signal that an event proves reuse: one, however often the event is judged."""
    return uuid5(NAMESPACE, f"reuse:{event_id}")


def anomaly_signal_id(event_id: UUID, rule: str) -> UUID:
    """The id of the signal that a rule matched at an event: one, however often it is judged."""
    return uuid5(NAMESPACE, f"anomaly:{rule}:{event_id}")


def completed_signal_id(kill_id: str) -> UUID:
    """The id of the signal that a kill was applied: one, also where a restore forgot the first."""
    return uuid5(NAMESPACE, f"completed:{kill_id}")
