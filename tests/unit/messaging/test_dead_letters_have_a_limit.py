import pytest

from messaging.dead_letter_limit import (
    MOST_IN_A_ROW,
    MOST_OF_RECENT,
    RECENT,
    DeadLetterLimit,
    TooManyDeadLettersError,
)


def test_some_poison_is_tolerated_for_ever() -> None:
    """A share below the limit never stops a consumer."""
    limit = DeadLetterLimit()
    for _ in range(1000):
        limit = limit.after(read=100, unreadable=int(100 * MOST_OF_RECENT))


def test_too_many_in_a_row_stop_it() -> None:
    """Unreadable records one by one, none readable between them."""
    limit = DeadLetterLimit()
    for _ in range(MOST_IN_A_ROW):
        limit = limit.after(read=1, unreadable=1)
    with pytest.raises(TooManyDeadLettersError):
        limit.after(read=1, unreadable=1)


def test_too_large_a_share_stops_it() -> None:
    """Readable records between them do not help when there are too few of these."""
    limit = DeadLetterLimit()
    for _ in range(int(MOST_OF_RECENT * RECENT)):
        limit = limit.after(read=3, unreadable=1)
    with pytest.raises(TooManyDeadLettersError):
        limit.after(read=3, unreadable=1)


def test_a_batch_beyond_the_limit_changes_nothing() -> None:
    """The limit says no before anything is counted, so the batch can be tried again."""
    limit = DeadLetterLimit()
    for _ in range(2):
        with pytest.raises(TooManyDeadLettersError):
            limit.after(read=500, unreadable=500)
    limit.after(read=1, unreadable=1)
