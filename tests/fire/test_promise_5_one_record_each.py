from tests.fire.run import Outcome


def test_every_event_has_one_record_in_order(fire: Outcome) -> None:
    """The audit is dense, has nothing twice, and keeps each family's order."""
    assert [str(each) for each in fire.violations if each.promise == 5] == []


def test_the_writers_were_killed(fire: Outcome) -> None:
    """Records were written although processes died."""
    assert fire.killed.total() > 0
    assert fire.evidence.records
