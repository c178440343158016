"""Decides promise by promise whether a run's history and evidence agree; knows no service."""

from collections.abc import Callable, Iterator, Sequence

from tests.fire.chains import families_live, one_successor
from tests.fire.evidence import Evidence
from tests.fire.history import History
from tests.fire.losses import nothing_lost, nothing_secret, once_recorded
from tests.fire.refusals import guards_deny, guards_invent_nothing, nothing_after, reuse_is_told
from tests.fire.violations import Violation

Check = Callable[[History, Evidence], Iterator[Violation]]

CHECKS: Sequence[Check] = (
    one_successor,
    nothing_after,
    reuse_is_told,
    families_live,
    guards_deny,
    guards_invent_nothing,
    once_recorded,
    nothing_lost,
    nothing_secret,
)


def check(history: History, evidence: Evidence) -> list[Violation]:
    """Every broken promise, each with what shows it."""
    return [violation for each in CHECKS for violation in each(history, evidence)]
