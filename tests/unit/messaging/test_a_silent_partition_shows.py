from datetime import timedelta

from messaging.silence import Silence
from revocast_contracts.topics import SECURITY_SIGNALS, TOKEN_LIFECYCLE

ONE, OTHER = (TOKEN_LIFECYCLE.name, 0), (TOKEN_LIFECYCLE.name, 1)
UNMARKED = (SECURITY_SIGNALS.name, 0)
TOPICS = (TOKEN_LIFECYCLE, SECURITY_SIGNALS)


def test_one_silent_partition_shows_while_another_is_heard() -> None:
    """Each has its own leader's connection: what others say proves nothing of it."""
    silence = Silence(TOPICS, timedelta(seconds=3))
    silent = [silence.listened(1, to=[ONE, OTHER], heard=[ONE]) for _ in range(4)]
    assert silent == [[], [], [], [OTHER]]


def test_a_record_ends_the_silence() -> None:
    """It counts from the last record on."""
    silence = Silence(TOPICS, timedelta(seconds=3))
    for heard in ([], [], [], [ONE], [], [], []):
        assert silence.listened(1, to=[ONE], heard=heard) == []
    assert silence.listened(1, to=[ONE], heard=[]) == [ONE]


def test_topics_without_watermarks_may_be_silent() -> None:
    """Nothing has to be said on them."""
    silence = Silence(TOPICS, timedelta(seconds=3))
    assert silence.listened(100, to=[UNMARKED], heard=[]) == []


def test_an_assignment_begins_anew() -> None:
    """A partition that was given away and came back has not been silent meanwhile."""
    silence = Silence(TOPICS, timedelta(seconds=3))
    assert silence.listened(3, to=[ONE], heard=[]) == []
    assert silence.listened(3, to=[OTHER], heard=[]) == []
    assert silence.listened(3, to=[ONE], heard=[]) == []
