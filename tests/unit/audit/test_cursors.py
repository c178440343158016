from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.domain.search import LARGEST_INDEX, Order, Search

SEARCH = Search(family="f", since=datetime(2026, 1, 1, tzinfo=UTC))


@given(index=st.integers(0, LARGEST_INDEX))
def test_a_cursor_says_where_to_go_on(index: int) -> None:
    """A cursor gives its index back, and is short and safe in a URL."""
    cursor = SEARCH.cursor(index)
    assert SEARCH.index_of(cursor) == index
    assert len(cursor) == 23
    assert cursor.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "other",
    [
        replace(SEARCH, family="g"),
        replace(SEARCH, family=None, client="f"),
        replace(SEARCH, since=None),
        replace(SEARCH, until=SEARCH.since, since=None),
        replace(SEARCH, order=Order.OLDEST),
    ],
)
def test_a_cursor_is_of_one_search_only(other: Search) -> None:
    """With other filters or the other order, a cursor is none."""
    assert other.index_of(SEARCH.cursor(7)) is None


def test_a_cursor_survives_another_page_size() -> None:
    """The size of a page is no filter: it may change from page to page."""
    assert replace(SEARCH, limit=3).index_of(SEARCH.cursor(7)) == 7


@given(text=st.text(max_size=60))
def test_what_is_no_cursor_is_refused(text: str) -> None:
    """No text that we did not write is taken for a cursor."""
    assert SEARCH.index_of(text) is None


@given(index=st.integers(0, LARGEST_INDEX), at=st.integers(0, 22), by=st.integers(1, 63))
def test_a_cursor_that_was_touched_is_its_own_or_none(index: int, at: int, by: int) -> None:
    """A changed character never gives the cursor's index back under another writing."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    cursor = SEARCH.cursor(index)
    changed = alphabet[(alphabet.index(cursor[at]) + by) % 64]
    assert SEARCH.index_of(cursor[:at] + changed + cursor[at + 1 :]) != index
