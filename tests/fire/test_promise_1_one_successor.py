from collections import Counter

from tests.fire.run import Outcome


def test_a_refresh_token_buys_at_most_one_successor(fire: Outcome) -> None:
    """No generation had two successors, in clients' hands or in the issuer's events."""
    assert [str(each) for each in fire.violations if each.promise == 1] == []


def test_tokens_were_presented_more_than_once(fire: Outcome) -> None:
    """The load presented one token in parallel and got the same successor for more than one."""
    got = Counter(
        (each.family, each.generation)
        for each in fire.history.requests
        if each.act in {"double", "refresh"} and each.got is not None
    )
    assert max(got.values()) > 1
