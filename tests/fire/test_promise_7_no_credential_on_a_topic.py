from tests.fire.run import Outcome


def test_no_topic_holds_a_token(fire: Outcome) -> None:
    """No record of any topic has a refresh token or a JWT in it."""
    assert [str(each) for each in fire.violations if each.promise == 7] == []
