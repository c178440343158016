from datetime import UTC, datetime, timedelta

import pytest

from audit.domain.family import Ending, ending_of
from audit.domain.record import in_utc, storable

START = datetime(2026, 1, 1, tzinfo=UTC)


def _at(seconds: int, cause: str = "cause") -> Ending:
    return Ending(cause=cause, at=START + timedelta(seconds=seconds), records=(seconds,))


@pytest.mark.parametrize(
    ("minted", "told", "cuts", "denied", "end"),
    [
        (None, [], [], None, None),
        (5, [_at(7)], [], None, 7),
        (5, [_at(9), _at(7)], [_at(8)], _at(6), 7),
        (5, [_at(9)], [_at(8)], None, 8),
        (5, [], [_at(-1)], None, None),
        (5, [], [_at(3)], None, None),
        (None, [], [_at(0)], None, 0),
        (5, [_at(3)], [], None, 3),
        (5, [], [], _at(6), 6),
        (5, [], [], _at(4), None),
        (5, [], [_at(9)], _at(6), 9),
    ],
    ids=[
        "nothing",
        "told",
        "the first told",
        "a cut before it",
        "a cut before the start",
        "a cut that was taken back",
        "a cut at the start",
        "nothing un-ends what was told",
        "a refusal",
        "a refusal of before",
        "a cut explains the refusal",
    ],
)
def test_the_first_ending_that_holds_is_the_end(
    minted: int | None, told: list[Ending], cuts: list[Ending], denied: Ending | None, end: int
) -> None:
    """What the issuer told of the family is final; cuts count unless tokens were minted after."""
    ending = ending_of(
        started_at=START,
        last_minted_at=None if minted is None else START + timedelta(seconds=minted),
        told=told,
        cuts=cuts,
        denied=denied,
        expiries=[],
        now=START,
    )
    assert (ending and ending.records[0]) == end


@pytest.mark.parametrize(
    ("now", "told", "denied", "end"),
    [
        (9, [], None, None),
        (10, [], None, 10),
        (60, [], None, 10),
        (60, [_at(7)], None, 7),
        (60, [_at(12)], None, 10),
        (60, [], _at(30), 10),
        (9, [], _at(8), 8),
    ],
    ids=[
        "not yet",
        "at its moment",
        "the earlier of two",
        "ended before",
        "ended when it had expired",
        "a refusal that came later",
        "a refusal of before",
    ],
)
def test_time_that_ran_out_is_an_end(
    now: int, told: list[Ending], denied: Ending | None, end: int | None
) -> None:
    """An expiry holds from its moment on, and not before."""
    ending = ending_of(
        started_at=START,
        last_minted_at=START,
        told=told,
        cuts=[],
        denied=denied,
        expiries=[_at(20), _at(10)],
        now=START + timedelta(seconds=now),
    )
    assert (ending and ending.records[0]) == end


def test_text_fits_its_column() -> None:
    """Text is bounded and free of NUL, which no column of Postgres holds."""
    assert storable("a" * 512) == "a" * 512
    assert storable("a" * 513) == "a" * 511 + "…"
    assert storable("a\0b") == "a\N{REPLACEMENT CHARACTER}b"


def test_times_become_utc() -> None:
    """A time that has no UTC writing becomes the nearest that has."""
    first = datetime.fromisoformat("0001-01-01T00:00:00+14:00")
    last = datetime.fromisoformat("9999-12-31T23:59:59-14:00")
    assert in_utc(first) == datetime.min.replace(tzinfo=UTC)
    assert in_utc(last) == datetime.max.replace(tzinfo=UTC)
    assert in_utc(datetime.fromisoformat("2026-01-01T01:00:00+01:00")) == START
