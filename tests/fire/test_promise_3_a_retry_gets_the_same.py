from tests.fire.run import Outcome


def test_no_honest_family_was_ended(fire: Outcome) -> None:
    """Whoever was refused or ended had been robbed, revoked or killed."""
    assert [str(each) for each in fire.violations if each.promise == 3] == []


def test_answers_were_lost_and_asked_for_again(fire: Outcome) -> None:
    """A request without an answer was followed by a success with the same token."""
    lost = {
        (each.family, each.generation)
        for each in fire.history.requests
        if each.act == "refresh" and each.status is None
    }
    assert any(
        each.got is not None and (each.family, each.generation) in lost
        for each in fire.history.requests
    )
