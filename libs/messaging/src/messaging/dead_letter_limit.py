"""Poison is rare. When it is not, this process is wrong about it, and has to stop."""

from collections import deque
from collections.abc import Sequence

MOST_IN_A_ROW = 100
"""Unreadable records without a readable one between them."""

MOST_OF_RECENT = 0.2
"""The share of the last RECENT records."""

RECENT = 500


class TooManyDeadLettersError(Exception):
    """So many records can't be read that reading must be what is wrong. Nothing was skipped."""


class DeadLetterLimit:
    """Counts readable and unreadable records, and says when there are too many of these."""

    def __init__(self, recent: Sequence[bool] = (), in_a_row: int = 0) -> None:
        self._recent = deque(recent, maxlen=RECENT)
        self._in_a_row = in_a_row

    def after(self, *, read: int, unreadable: int) -> "DeadLetterLimit":
        """The count after a batch.

        Raises:
            TooManyDeadLettersError: a limit would be passed.
        """
        readable = read - unreadable
        in_a_row = unreadable + (0 if readable else self._in_a_row)
        recent = [*self._recent, *[False] * readable, *[True] * unreadable][-RECENT:]
        if in_a_row > MOST_IN_A_ROW or sum(recent) > MOST_OF_RECENT * RECENT:
            raise TooManyDeadLettersError(f"{unreadable} of the last {read} records")
        return DeadLetterLimit(recent, in_a_row)
