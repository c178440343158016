from tests.fire.run import Outcome


def test_a_reused_family_mints_nothing_and_is_denied_everywhere(fire: Outcome) -> None:
    """After a thief was refused nothing was minted, and every ready guard denied in time."""
    assert [str(each) for each in fire.violations if each.promise == 2] == []


def test_thieves_came(fire: Outcome) -> None:
    """At least one thief was refused while processes were killed."""
    thefts = [each for each in fire.history.requests if each.act == "theft"]
    assert any(each.error == "invalid_grant" for each in thefts)
