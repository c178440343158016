"""Promises 5, 6 and 7: each event once, in order, none lost or invented, and none a secret."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from revocast_contracts.topics import (
    DEAD_LETTER,
    ISSUER_ACTIVITY,
    REVOCATIONS,
    SECURITY_SIGNALS,
    TOKEN_LIFECYCLE,
    TOPIC_BY_NOUN,
)
from tests.fire.evidence import Evidence, Stored
from tests.fire.history import History
from tests.fire.violations import Violation

AUDITED = (TOKEN_LIFECYCLE.name, ISSUER_ACTIVITY.name, SECURITY_SIGNALS.name)
MAY_REPEAT = ("revocast.kill.applied.v1",)
"""Every repeat of a kill is answered again with the same event, which is one record."""

TELLS_A_TOKEN = (
    "revocast.token.issued.v1",
    "revocast.token.rotated.v1",
    "revocast.token.replayed.v1",
)


def once_recorded(history: History, evidence: Evidence) -> Iterator[Violation]:
    """Promise 5: one record for each event, a dense index, each family in the topic's order."""
    for place, record in enumerate(evidence.records):
        if record.index != place:
            yield Violation(5, f"record {record.index} stands where {place} belongs", "the index")
            break
    for event, count in Counter(record.event_id for record in evidence.records).items():
        if count > 1:
            yield Violation(5, f"{count} records of one event", f"event {event}")
    recorded, told = _recorded(evidence), _told(evidence)
    for family, events in told.items():
        known = set(recorded[family])
        if [event for event in events if event in known] != recorded[family]:
            yield Violation(5, "records in another order than the topic", f"family {family}")


def _recorded(evidence: Evidence) -> dict[str, list[str]]:
    """The events of each family, in the order of the audit."""
    recorded: dict[str, list[str]] = defaultdict(list)
    for record in evidence.records:
        if record.topic == TOKEN_LIFECYCLE.name and record.family is not None:
            recorded[record.family].append(record.event_id)
    return recorded


def _told(evidence: Evidence) -> dict[str, list[str]]:
    """The same in the order of the topic, each where it stands first."""
    told: dict[str, dict[str, None]] = defaultdict(dict)
    for one in evidence.of(TOKEN_LIFECYCLE.name):
        if one.data.get("family") is not None:
            told[one.data["family"]].setdefault(_id(one))
    return {family: list(events) for family, events in told.items()}


def nothing_lost(history: History, evidence: Evidence) -> Iterator[Violation]:
    """Promise 6: outbox, topic and audit have the same events, in dense places."""
    written = Counter(row.event_id for row in evidence.outbox if row.type not in MAY_REPEAT)
    yield from _differ("outbox", (event for event, n in written.items() if n > 1), "written twice")
    for noun in {row.topic for row in evidence.outbox} - {REVOCATIONS.noun}:
        outbox = {row.event_id for row in evidence.outbox if row.topic == noun}
        name = TOPIC_BY_NOUN[noun].name
        topic = {_id(one) for one in evidence.of(name)}
        yield from _differ(name, outbox - topic, "committed and never published")
        yield from _differ(name, topic - outbox, "published and never committed")
        recorded = {record.event_id for record in evidence.records if record.topic == name}
        yield from _differ(name, topic - recorded, "published and not recorded")
        yield from _differ(name, recorded - topic, "recorded and not on the topic")
    yield from _places(evidence)
    yield from _tokens_told(history, evidence)
    for one in evidence.stored:
        if one.topic == DEAD_LETTER.name and one.event is not None:
            yield Violation(6, "an event was dead-lettered", f"{one.data.get('reason')}")


def nothing_secret(history: History, evidence: Evidence) -> Iterator[Violation]:
    """Promise 7: no topic holds a refresh token or a JWT."""
    for one in evidence.stored:
        if one.secret:
            where = f"{one.topic}/{one.partition}@{one.offset}"
            yield Violation(7, "a credential stands on a topic", where)


def _places(evidence: Evidence) -> Iterator[Violation]:
    """(epoch, seq) rises by one, and is the same each time an event is sent."""
    written = Counter(row.event_id for row in evidence.outbox)
    for topic in AUDITED:
        heads: dict[int, tuple[int, int]] = {}
        given: dict[str, set[tuple[int, int]]] = defaultdict(set)
        for one in evidence.of(topic):
            event = one.event or {}
            place = (event["epoch"], event["seq"])
            given[event["id"]].add(place)
            if len(given[event["id"]]) > max(1, written[event["id"]]):
                yield Violation(6, f"one event at {sorted(given[event['id']])}", event["id"])
            head = heads.get(one.partition, (place[0], 0))
            if place > head:
                if place != (head[0], head[1] + 1):
                    what = f"{topic}/{one.partition} goes from {head} to {place}"
                    yield Violation(6, what, f"event {event['id']}")
                heads[one.partition] = place


def _tokens_told(history: History, evidence: Evidence) -> Iterator[Violation]:
    """Each token that a client got has exactly its event."""
    told: dict[str, list[Stored]] = defaultdict(list)
    seen: set[str] = set()
    for one in evidence.of(TOKEN_LIFECYCLE.name):
        if one.type in TELLS_A_TOKEN and _id(one) not in seen:
            seen.add(_id(one))
            told[one.data["jti_hash"]].append(one)
    for request in history.requests:
        got = request.got
        if got is None:
            continue
        events = told[got.jti_hash]
        if len(events) != 1:
            what = f"a token that a client got has {len(events)} events"
            yield Violation(6, what, f"{request.act} of {request.actor}, token {got.jti_hash}")
        elif got.family is not None and not _agrees(events[0], got.family, got.generation):
            yield Violation(6, "a token's event tells another generation", f"token {got.jti_hash}")


def _agrees(one: Stored, family: str, generation: int | None) -> bool:
    told = one.data.get("generation", 1)
    return one.data.get("family") == family and (generation is None or told == generation)


def _differ(where: str, events: Iterable[str], what: str) -> Iterator[Violation]:
    for event in sorted(events):
        yield Violation(6, f"an event was {what}", f"{where}, event {event}")


def _id(one: Stored) -> str:
    return str((one.event or {})["id"])
