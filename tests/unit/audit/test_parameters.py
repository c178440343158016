from datetime import UTC, datetime
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from audit.api.parameters import search_of
from audit.domain.search import Order, Search
from servicekit.problems import Problem


def _asked(query: str | bytes) -> Request:
    raw = query.encode() if isinstance(query, str) else query
    return Request({"type": "http", "query_string": raw, "headers": []})


def test_every_filter_is_read() -> None:
    """All parameters together make one search."""
    family, session = str(uuid4()), str(uuid4())
    given_ = {
        "family": family.upper(),
        "session": session,
        "subject": "someone",
        "client": "web",
        "type": "revocast.token.rotated.v1",
        "correlation_id": "cause",
        "from": "2026-01-01T00:00:00Z",
        "to": "2026-01-01T02:00:00+01:00",
        "order": "oldest",
        "limit": "500",
    }
    assert search_of(_asked(urlencode(given_))) == Search(
        family=family,
        session=session,
        subject="someone",
        client="web",
        type="revocast.token.rotated.v1",
        correlation_id="cause",
        since=datetime(2026, 1, 1, tzinfo=UTC),
        until=datetime(2026, 1, 1, 1, tzinfo=UTC),
        order=Order.OLDEST,
        limit=500,
    )


def test_nothing_asked_is_everything_newest_first() -> None:
    """Without parameters, and with empty ones, the newest hundred are asked for."""
    assert search_of(_asked("")) == search_of(_asked("family=&cursor=")) == Search()


def test_a_cursor_goes_on() -> None:
    """A cursor of the same filters is the search, going on."""
    search = Search(client="web")
    asked = _asked(f"client=web&cursor={search.cursor(41)}")
    assert search_of(asked) == search.going_on_after(41)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("famly=x", "famly"),
        ("client=a&client=a", "client"),
        ("client=a&client=", "client"),
        ("family=1", "family"),
        ("family=" + "g" * 36, "family"),
        ("family={}".format("0" * 32), "family"),
        (f"session=urn:uuid:{uuid4()}", "session"),
        ("client=%00", "client"),
        ("client=a%0ab", "client"),
        ("subject=" + "x" * 513, "subject"),
        ("type=%ed%a0%80%00", "type"),
        ("from=yesterday", "from"),
        ("from=2026-01-01", "from"),
        ("from=2026-01-01T00:00:00", "from"),
        ("from=0001-01-01T00:00:00%2B14:00", "from"),
        ("to=9999-12-31T23:59:59-14:00", "to"),
        ("from=2026-01-02T00:00:00Z&to=2026-01-02T00:00:00Z", "to"),
        ("order=down", "order"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=-1", "limit"),
        ("limit=1e2", "limit"),
        ("limit=%D9%A1", "limit"),
        ("limit=" + "9" * 5000, "limit"),
        ("cursor=abc", "cursor"),
        ("cursor=" + Search(client="web").cursor(1), "cursor"),
        ("cursor=" + "A" * 23, "cursor"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(query: str, parameter: str) -> None:
    """An unknown, doubled, malformed or impossible parameter is a problem that names it."""
    with pytest.raises(Problem) as refused:
        search_of(_asked(query))
    assert refused.value.status == 400
    assert refused.value.members["parameter"] == parameter


@given(raw=st.binary(max_size=300))
def test_any_bytes_are_a_search_or_a_problem(raw: bytes) -> None:
    """No query string, whatever its bytes, breaks the reading of it."""
    outcome = _outcome(raw)
    assert isinstance(outcome, Search) or outcome.status == 400


@given(name=st.sampled_from(["family", "from", "limit", "cursor", "order"]), text=st.text())
def test_any_value_is_read_or_a_problem(name: str, text: str) -> None:
    """No value of a parameter breaks the reading of it, and a problem does not repeat it."""
    outcome = _outcome(urlencode({name: text}).encode())
    if isinstance(outcome, Problem):
        assert outcome.members["parameter"] == name
        assert len(text) < 3 or text not in outcome.members["detail"]


def _outcome(query: bytes) -> Search | Problem:
    try:
        return search_of(_asked(query))
    except Problem as refused:
        return refused
