from tests.fire.run import Outcome


def test_outbox_topic_and_audit_have_the_same_events(fire: Outcome) -> None:
    """Nothing was lost, invented, forgotten or dead-lettered by any kill."""
    assert [str(each) for each in fire.violations if each.promise == 6] == []


def test_everything_came_back_without_hands(fire: Outcome) -> None:
    """Every killed process became ready again, and every event was delivered."""
    assert fire.unready == []
