from tests.fire.run import Outcome


def test_no_ready_guard_accepts_a_dead_token_beyond_its_bound(fire: Outcome) -> None:
    """Guards that said they were ready denied whatever had been revoked longer ago."""
    assert [str(each) for each in fire.violations if each.promise == 4] == []


def test_guards_denied_and_accepted(fire: Outcome) -> None:
    """The guards met both kinds of tokens, and some of the dead ones were killed ones."""
    verdicts = {each.verdict for each in fire.history.decisions}
    assert {"accepted", "revoked"} <= verdicts
    assert any(each.act == "kill" and each.status == 200 for each in fire.history.requests)
