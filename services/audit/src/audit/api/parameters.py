"""Query parameters taken apart by hand: what is unknown, doubled or malformed is refused."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import Request

from audit.domain.record import LONGEST_TEXT
from audit.domain.search import Order, Search
from servicekit.queries import parameters_of, refused

LARGEST_PAGE = 500
USUAL_PAGE = 100

_UUID_LENGTH = 36
_TIME_LENGTH = 40


def uuid_of(name: str, value: str) -> str:
    """A UUID as our events write it.

    Raises:
        Problem: 400.
    """
    try:
        if len(value) == _UUID_LENGTH:
            return str(UUID(value))
    except ValueError:
        pass
    raise refused(name, "not a UUID.")


def text_of(name: str, value: str) -> str:
    """Text that a column can hold.

    Raises:
        Problem: 400.
    """
    if len(value) > LONGEST_TEXT or not value.isprintable():
        raise refused(name, f"not printable text of at most {LONGEST_TEXT} characters.")
    return value


def subject_of(name: str, value: str) -> str:
    """A subject: ours are lower-case UUIDs; a client that acts for itself is its own.

    Raises:
        Problem: 400.
    """
    try:
        return str(UUID(value)) if len(value) == _UUID_LENGTH else text_of(name, value)
    except ValueError:
        return text_of(name, value)


def time_of(name: str, value: str) -> datetime:
    """A time with its offset (RFC 3339 section 5.6).

    Raises:
        Problem: 400.
    """
    why = "not a time with an offset, as in 2026-01-31T23:59:59Z."
    try:
        if len(value) > _TIME_LENGTH or "T" not in value.upper():
            raise refused(name, why)
        time = datetime.fromisoformat(value)
        time.timestamp()
    except (ValueError, OverflowError):
        raise refused(name, why) from None
    if time.tzinfo is None or not 1970 <= time.year <= 9000:
        raise refused(name, why)
    return time


def number_of(name: str, value: str, *, largest: int) -> int:
    """A whole number from 1 to `largest`.

    Raises:
        Problem: 400.
    """
    digits = value.isascii() and value.isdigit() and len(value) <= len(str(largest))
    if not digits or not 1 <= int(value) <= largest:
        raise refused(name, f"not a whole number from 1 to {largest}.")
    return int(value)


def order_of(name: str, value: str) -> Order:
    """An order.

    Raises:
        Problem: 400.
    """
    try:
        return Order(value)
    except ValueError:
        raise refused(name, f"not one of {', '.join(Order)}.") from None


def limit_of(name: str, value: str) -> int:
    """A size of a page.

    Raises:
        Problem: 400.
    """
    return number_of(name, value, largest=LARGEST_PAGE)


_FIELDS: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "family": ("family", uuid_of),
    "session": ("session", uuid_of),
    "subject": ("subject", subject_of),
    "client": ("client", text_of),
    "type": ("type", text_of),
    "correlation_id": ("correlation_id", text_of),
    "from": ("since", time_of),
    "to": ("until", time_of),
    "order": ("order", order_of),
    "limit": ("limit", limit_of),
}
"""Parameter -> member of a search, and how to read it."""

SEARCH_PARAMETERS = (*_FIELDS, "cursor")


def search_of(request: Request) -> Search:
    """What a request asks for.

    Raises:
        Problem: 400, with the parameter that can't be.
    """
    given = parameters_of(request, SEARCH_PARAMETERS)
    wanted = {
        member: read(name, given[name]) for name, (member, read) in _FIELDS.items() if name in given
    }
    search = Search(**{"limit": USUAL_PAGE, **wanted})
    if search.since and search.until and search.since >= search.until:
        raise refused("to", "not later than `from`.")
    return after(search, given.get("cursor"))


def after(search: Search, cursor: str | None) -> Search:
    """The search, going on where a cursor says.

    Raises:
        Problem: 400, the cursor is not of this search.
    """
    if cursor is None:
        return search
    index = search.index_of(cursor)
    if index is None:
        raise refused("cursor", "not a cursor of this search: filters and order must be the same.")
    return search.going_on_after(index)
