from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.domain.parameters import parse
from oauth.forms import LONGEST, MOST_PARAMETERS, MalformedError

encodable = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


@given(st.dictionaries(st.text(encodable, min_size=1), st.text(encodable, min_size=1), max_size=20))
def test_what_a_browser_encodes_comes_out_again(sent: dict[str, str]) -> None:
    """Encoding and parsing give back every name and value."""
    assert parse(urlencode(sent).encode()).values == sent


@given(st.binary(max_size=300))
def test_no_bytes_crash_it(raw: bytes) -> None:
    """Any bytes are either parameters without a NUL or malformed."""
    try:
        parameters = parse(raw)
    except MalformedError:
        return
    assert all("\0" not in text for pair in parameters.values.items() for text in pair)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"a=%", "percent"),
        (b"a=%4", "percent"),
        (b"a=%zz", "percent"),
        (b"a=%ff", "UTF-8"),
        (b"\xff=a", "UTF-8"),
        (b"a=%00", "NUL"),
        (b"a\0=b", "NUL"),
        (b"a=" + b"x" * LONGEST, "too long"),
        (b"&".join(b"a%d=1" % n for n in range(20_000)), "too long"),
        (b"&" * MOST_PARAMETERS, "too many"),
    ],
)
def test_what_is_no_form_is_malformed(raw: bytes, why: str) -> None:
    """Broken escapes, broken UTF-8, NULs, and too much of anything are refused."""
    with pytest.raises(MalformedError, match=why):
        parse(raw)


def test_a_repeated_parameter_has_no_value() -> None:
    """What was sent twice is not chosen from, even where one of the two is empty."""
    parameters = parse(b"a=1&b=2&a=3&c=&c=4")
    assert parameters.repeated == {"a", "c"}
    assert [parameters.get(name) for name in "abc"] == [None, "2", None]


def test_an_empty_parameter_counts_as_omitted() -> None:
    """RFC 6749 section 3.1: parameters sent without a value are treated as if omitted."""
    assert parse(b"a=&b&c=1").values == {"c": "1"}
