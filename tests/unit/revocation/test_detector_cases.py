import pytest

from revocation.domain.detector import (
    LONGEST_GRACE_MS,
    MOST_REPLAYS,
    Anomaly,
    Lineage,
    Observation,
    Reuse,
    ReuseClass,
    Rule,
    Verdict,
    What,
    observe,
)
from tests.support.family_cases import FAMILY_CASES, FamilyCase
from tests.support.family_stream import ELSEWHERE, HOME, Stream, judge, stream_of

BY_NAME = pytest.mark.parametrize("case", FAMILY_CASES, ids=lambda case: case.name)


def rules(verdicts: list[tuple[object, Verdict]]) -> list[Rule]:
    return [verdict.rule for _, verdict in verdicts if isinstance(verdict, Anomaly)]


@BY_NAME
def test_the_detector_calls_reuse_exactly_what_the_table_calls_stale(case: FamilyCase) -> None:
    """Over the stream of a case, the stale presentations are judged to be reuse, and no other."""
    told = list(stream_of(case))
    _, verdicts = judge(event for event, _ in told)
    reused = [event_id for event_id, verdict in verdicts if isinstance(verdict, Reuse)]
    assert reused == [
        event.event_id for event, cause in told if cause is not None and cause.outcome == "stale"
    ]


@BY_NAME
def test_the_class_of_a_reuse_follows_from_the_generations(case: FamilyCase) -> None:
    """A predecessor is `late_predecessor`, anything older is `older_generation`."""
    told = list(stream_of(case))
    _, verdicts = judge(event for event, _ in told)
    classes = [verdict.reuse_class for _, verdict in verdicts if isinstance(verdict, Reuse)]
    assert classes == [
        ReuseClass.LATE_PREDECESSOR
        if cause.generation == cause.current - 1
        else ReuseClass.OLDER_GENERATION
        for _, cause in told
        if cause is not None and cause.outcome == "stale"
    ]


@BY_NAME
def test_an_issuer_that_answers_an_older_generation_is_found_out(case: FamilyCase) -> None:
    """A successor given out for a token older than the predecessor is reuse that nobody ended."""
    told = [(event, cause) for event, cause in stream_of(case) if cause is not None]
    for place, (_, cause) in enumerate(told):
        if cause.outcome != "stale" or cause.generation == cause.current - 1:
            continue
        lineage, _ = judge(event for event, _ in told[:place])
        wrong = Observation(
            event_id=told[place][0].event_id,
            place=told[place][0].place,
            at=told[place][0].at,
            what=What.REPLAYED,
            generation=cause.generation + 1,
            presented=cause.generation,
            replay=1,
        )
        _, verdicts = observe(lineage, wrong)
        assert [(type(v), v.ended) for v in verdicts if isinstance(v, Reuse)] == [(Reuse, False)]


def test_two_rotations_of_one_generation_are_an_anomaly() -> None:
    """A generation that is made twice, as after a fail-over, is told with both events."""
    stream = Stream()
    started, first = stream.event(What.STARTED, 1), stream.event(What.ROTATED, 2)
    stream.epoch += 1
    second = stream.event(What.ROTATED, 2)
    _, verdicts = judge([started, first, second])
    evidence = (first.event_id, second.event_id)
    assert verdicts == [
        (second.event_id, Anomaly(rule=Rule.GENERATION_ROTATED_TWICE, evidence=evidence))
    ]


def test_replays_in_three_generations_in_a_row_are_an_anomaly() -> None:
    """Somebody who shadows a client inside grace is told with the three replays."""
    stream = Stream()
    events = [stream.event(What.STARTED, 1)]
    for generation in (2, 3, 4):
        events.append(stream.event(What.ROTATED, generation))
        events.append(stream.event(What.REPLAYED, generation, replay=1))
        events.append(stream.event(What.REPLAYED, generation, replay=2))
    _, verdicts = judge(events)
    evidence = (events[2].event_id, events[5].event_id, events[8].event_id)
    assert verdicts == [
        (events[8].event_id, Anomaly(rule=Rule.REPLAYED_IN_SUCCESSION, evidence=evidence))
    ]


def test_a_generation_without_replay_breaks_the_succession() -> None:
    """Two replayed generations, a clean one and two more are a bad network, not a thief."""
    stream = Stream()
    events = []
    for generation in (2, 3, 4, 5, 6):
        events.append(stream.event(What.ROTATED, generation))
        if generation != 4:
            events.append(stream.event(What.REPLAYED, generation, replay=1))
    assert rules(list(judge(events)[1])) == []


@pytest.mark.parametrize(
    ("rotated_from", "replayed_from", "found"),
    [
        (HOME, ELSEWHERE, [Rule.REPLAYED_FROM_ANOTHER_NETWORK]),
        (HOME, HOME, []),
        (None, ELSEWHERE, []),
        (HOME, None, []),
    ],
)
def test_a_replay_from_another_network_is_an_anomaly(
    rotated_from: str | None, replayed_from: str | None, found: list[Rule]
) -> None:
    """Only two known and different networks say that rotation and replay had two authors."""
    stream = Stream()
    rotated = stream.event(What.ROTATED, 2, network=rotated_from)
    replayed = stream.event(What.REPLAYED, 2, replay=1, network=replayed_from)
    assert rules(list(judge([rotated, replayed])[1])) == found


def test_the_network_of_an_unseen_rotation_is_unknown() -> None:
    """A replay is not compared with the network of an earlier rotation than its own."""
    stream = Stream()
    rotated = stream.event(What.ROTATED, 2)
    replayed = stream.event(What.REPLAYED, 4, replay=1, network=ELSEWHERE)
    assert rules(list(judge([rotated, replayed])[1])) == []


@pytest.mark.parametrize(
    ("replay", "age_ms", "reused"),
    [
        (MOST_REPLAYS, LONGEST_GRACE_MS, False),
        (MOST_REPLAYS + 1, 1, True),
        (1, LONGEST_GRACE_MS + 1, True),
    ],
)
def test_a_replay_that_no_grace_allows_is_reuse(replay: int, age_ms: int, *, reused: bool) -> None:
    """The detector holds the issuer to the bounds of the family table."""
    stream = Stream()
    rotated = stream.event(What.ROTATED, 2)
    replayed = stream.event(What.REPLAYED, 2, presented=1, replay=replay, age_ms=age_ms)
    _, verdicts = judge([rotated, replayed])
    assert [type(verdict) for _, verdict in verdicts] == ([Reuse] if reused else [])


def test_own_knowledge_corrects_the_class() -> None:
    """Where the stream has shown later generations than the issuer says, the class follows them."""
    stream = Stream()
    before = Lineage(place=(1, 0), at=stream.at, generation=7)
    stale = stream.event(What.PRESENTED_STALE, 5, presented=4)
    _, verdicts = observe(before, stale)
    assert [(v.reuse_class, v.current) for v in verdicts if isinstance(v, Reuse)] == [
        (ReuseClass.OLDER_GENERATION, 7)
    ]
