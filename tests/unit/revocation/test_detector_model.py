from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from revocation.domain.detector import Anomaly, Observation, Reuse, Verdict, What
from tests.support.family_stream import ELSEWHERE, HOME, Stream, judge

UNHURRIED = settings(deadline=None)
ACTIONS = st.lists(
    st.sampled_from(["rotate", "rotate", "replay", "replay elsewhere", "steal", "restore"]),
    max_size=30,
)


@dataclass(slots=True)
class Issuer:
    """A family as the issuer keeps it, and the stream of what it told, the detector's truth."""

    stream: Stream = field(default_factory=Stream)
    generation: int = 1
    replays: int = 0
    ended: bool = False
    told: list[Observation] = field(default_factory=list)
    made: list[int] = field(default_factory=list)

    def act(self, action: str) -> None:
        """One request, or a fail-over that forgets the last generation."""
        match action:
            case "restore":
                self.generation, self.replays = max(1, self.generation - 1), 0
                self.ended = False
                self.stream.epoch += 1
            case _ if self.ended:
                return
            case "rotate":
                self.generation, self.replays = self.generation + 1, 0
                self.made.append(self.generation)
                self._tell(What.ROTATED)
            case "replay" | "replay elsewhere" if self.generation > 1 and self.replays < 3:
                self.replays += 1
                network = HOME if action == "replay" else ELSEWHERE
                presented = self.generation - 1
                self._tell(What.REPLAYED, presented=presented, replay=self.replays, network=network)
            case "steal" if self.generation > 2:
                self.ended = True
                self._tell(What.PRESENTED_STALE, presented=1)
            case _:
                return

    def _tell(self, what: What, **more: Any) -> None:
        self.told.append(self.stream.event(what, self.generation, **more))


def ran(actions: list[str]) -> Issuer:
    issuer = Issuer()
    for action in actions:
        issuer.act(action)
    return issuer


def proof(verdicts: list[tuple[UUID, Verdict]]) -> set[tuple[UUID, str]]:
    """Which event proved what, without the evidence."""
    return {(event, v.rule if isinstance(v, Anomaly) else "reuse") for event, v in verdicts}


@UNHURRIED
@given(ACTIONS)
def test_every_stale_presentation_is_reuse_and_ended_by_the_issuer(actions: list[str]) -> None:
    """Whatever came before, a stale presentation yields one verdict that the issuer acted on."""
    issuer = ran(actions)
    stale = [event.event_id for event in issuer.told if event.what is What.PRESENTED_STALE]
    _, verdicts = judge(issuer.told)
    assert [e for e, v in verdicts if isinstance(v, Reuse) and v.ended] == stale


@UNHURRIED
@given(ACTIONS)
def test_an_issuer_that_never_fails_over_rotates_no_generation_twice(actions: list[str]) -> None:
    """Without a fail-over there is no second rotation, and no reuse but the issuer's own."""
    issuer = ran([action for action in actions if action != "restore"])
    _, verdicts = judge(issuer.told)
    found = {v.rule.value if isinstance(v, Anomaly) else v.ended for _, v in verdicts}
    assert found <= {True, "replayed_in_succession", "replayed_from_another_network"}


@UNHURRIED
@given(ACTIONS)
def test_a_generation_made_again_is_always_told(actions: list[str]) -> None:
    """Each rotation to a generation that was made before yields an anomaly, and no other does."""
    issuer = ran(actions)
    again = [made for place, made in enumerate(issuer.made) if made in issuer.made[:place]]
    _, verdicts = judge(issuer.told)
    twice = [
        v
        for _, v in verdicts
        if isinstance(v, Anomaly) and v.rule.value == "generation_rotated_twice"
    ]
    assert len(twice) == len(again)


@UNHURRIED
@given(ACTIONS, st.data())
def test_events_that_come_twice_change_nothing(actions: list[str], data: st.DataObject) -> None:
    """Any tail of the stream may be delivered again, at any time, and proves nothing new."""
    told = ran(actions).told
    delivered: list[Observation] = []
    for end, event in enumerate(told, start=1):
        delivered.append(event)
        again = data.draw(st.integers(min_value=0, max_value=end))
        delivered += told[end - again : end]
    once, twice = judge(told), judge(delivered)
    assert twice[0] == once[0]
    assert proof(twice[1]) == proof(once[1])
    assert [v for v in twice[1] if isinstance(v[1], Anomaly)] == [
        v for v in once[1] if isinstance(v[1], Anomaly)
    ]


@UNHURRIED
@given(ACTIONS, st.integers(min_value=0, max_value=30))
def test_a_late_start_finds_less_but_nothing_else(actions: list[str], missed: int) -> None:
    """Missing history may hide a verdict, but invents none on an issuer that lost nothing."""
    told = ran([action for action in actions if action != "restore"]).told
    assert proof(judge(told[missed:])[1]) <= proof(judge(told)[1])


@UNHURRIED
@given(ACTIONS, st.integers(min_value=0, max_value=30))
def test_a_late_start_hides_no_stale_presentation(actions: list[str], missed: int) -> None:
    """Whatever history is missing, every stale presentation is reuse."""
    told = ran(actions).told[missed:]
    stale = {(e.event_id, "reuse") for e in told if e.what is What.PRESENTED_STALE}
    assert stale <= proof(judge(told)[1])


@UNHURRIED
@given(ACTIONS, st.sampled_from([1, 1000]))
def test_a_stream_that_is_published_again_is_no_news(actions: list[str], epoch: int) -> None:
    """Whether at its old places or at new ones of a later epoch, a stream told again is old."""
    told = ran(actions).told
    again = [
        replace(event, place=(epoch, number) if epoch > 1 else event.place)
        for number, event in enumerate(told)
    ]
    lineage, verdicts = judge([*told, *again])
    once = judge(told)
    assert lineage == once[0]
    assert [v for v in verdicts if isinstance(v[1], Anomaly)] == [
        v for v in once[1] if isinstance(v[1], Anomaly)
    ]
    assert proof(verdicts) == proof(once[1])
