from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.domain.guessing import FORGOTTEN_AFTER, RULES, Against, Rule, Tries

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RULE = Rule(free=3, longest=timedelta(seconds=60))


def after(count: int, rule: Rule = RULE) -> Tries:
    tries = Tries()
    for _ in range(count):
        tries = tries.counted(rule, NOW)
    return tries


@pytest.mark.parametrize(
    ("count", "seconds"), [(0, 0), (3, 0), (4, 1), (5, 2), (6, 4), (9, 32), (10, 60), (5000, 60)]
)
def test_pauses_double_up_to_the_longest(count: int, seconds: int) -> None:
    """The first tries are free, then each failure doubles the pause, up to its greatest length."""
    assert after(count).pause(NOW) == timedelta(seconds=seconds)


@given(st.integers(min_value=0, max_value=300), st.sampled_from(Against))
def test_every_pause_ends(count: int, against: Against) -> None:
    """However many failures there were, a try is possible after the rule's longest pause."""
    rule = RULES[against]
    tries = after(count, rule)
    assert tries.pause(NOW + rule.longest) == timedelta()


def test_failures_are_forgotten() -> None:
    """Quiet for long enough, a count starts again at one."""
    assert after(9).counted(RULE, NOW + FORGOTTEN_AFTER).failures == 1


def test_a_right_password_gives_its_try_back() -> None:
    """Neither the count nor the pause of a try outlives its success."""
    tries = after(4).given_back()
    assert (tries.failures, tries.pause(NOW)) == (3, timedelta())


def test_giving_back_does_not_clear_what_others_did() -> None:
    """Somebody with an account of their own can't wash a network's count clean by signing in."""
    assert after(100).given_back().counted(RULE, NOW).pause(NOW) == timedelta(seconds=60)
