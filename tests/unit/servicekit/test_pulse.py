from servicekit.pulse import OLD_FOR_SECONDS, STANDSTILL_SECONDS, Pulse


class Hands:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_process_that_beats_trusts_its_requests() -> None:
    """Before the first beat, and as long as beats come in time, no request is old."""
    hands = Hands()
    pulse = Pulse(hands)
    assert not pulse.requests_may_be_old()
    for _ in range(5):
        pulse.note()
        hands.now += STANDSTILL_SECONDS
        assert not pulse.requests_may_be_old()


def test_after_a_standstill_requests_may_be_old_before_the_next_beat() -> None:
    """The loop may read requests first and beat later: both orders are safe."""
    hands = Hands()
    pulse = Pulse(hands)
    pulse.note()
    hands.now += STANDSTILL_SECONDS + 0.1
    assert pulse.requests_may_be_old()
    pulse.note()
    hands.now += OLD_FOR_SECONDS - 0.1
    assert pulse.requests_may_be_old()
    pulse.note()
    hands.now += 0.2
    assert not pulse.requests_may_be_old()
