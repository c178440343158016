from itertools import pairwise

import pytest

from tests.support.family_cases import FAMILY_CASES, FamilyCase, Presentation

BY_NAME = pytest.mark.parametrize("case", FAMILY_CASES, ids=lambda case: case.name)


def after(row: Presentation) -> tuple[int, int, bool]:
    """The row's generation, replays and end after a presentation, by the words alone."""
    match row.outcome:
        case "rotated":
            return row.current + 1, 0, row.ended
        case "replayed":
            return row.current, row.replays + 1, row.ended
        case "stale":
            return row.current, row.replays, True
        case "limited" | "denied":
            return row.current, row.replays, row.ended


@BY_NAME
def test_each_presentation_states_the_row_that_the_earlier_ones_led_to(case: FamilyCase) -> None:
    """A case can be played in order or one presentation at a time: both mean the same."""
    assert case.presentations[0].current == 1
    for earlier, later in pairwise(case.presentations):
        generation, replays, ended = after(earlier)
        assert later.current == generation
        assert later.ended is ended
        assert later.replays == replays or later.ended


def test_names_are_unique_and_every_outcome_occurs() -> None:
    """The table covers every word of the family table."""
    assert len({case.name for case in FAMILY_CASES}) == len(FAMILY_CASES)
    words = {row.outcome for case in FAMILY_CASES for row in case.presentations}
    assert words == {"rotated", "replayed", "limited", "stale", "denied"}
