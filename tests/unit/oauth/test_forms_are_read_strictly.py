from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth.forms import (
    CONTENT_TYPE,
    LONGEST,
    MOST_PARAMETERS,
    MalformedError,
    decode,
    parse_form,
    parse_parameters,
)

TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))


@given(st.dictionaries(TEXT, TEXT, max_size=20))
def test_what_a_client_encodes_is_read_back(parameters: dict[str, str]) -> None:
    """A form that a library encoded gives what went in, less what was empty."""
    read = parse_form(urlencode(parameters).encode(), CONTENT_TYPE)
    assert read == {name: value for name, value in parameters.items() if value}


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """Whatever arrives, the answer is text without NUL, or a refusal."""
    try:
        read = parse_parameters(raw)
    except MalformedError:
        return
    assert all("\x00" not in name + value and value for name, value in read.items())


@given(st.binary(min_size=1, max_size=100))
def test_a_refusal_does_not_repeat_what_was_sent(raw: bytes) -> None:
    """The reasons are constant: nothing of a secret in a broken form travels on in one."""
    reasons = {
        "a percent sign is not followed by two hexadecimal digits",
        "not UTF-8",
        "a NUL character",
        "a parameter is repeated",
        "too many parameters",
    }
    why = None
    try:
        parse_parameters(raw)
    except MalformedError as error:
        why = str(error)
    assert why is None or why in reasons


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"a=%", "percent"),
        (b"a=%2", "percent"),
        (b"a=%G0", "percent"),
        (b"a=%+1", "percent"),
        (b"%zz=a", "percent"),
        (b"a=%00", "NUL"),
        (b"a=\x00", "NUL"),
        (b"a=%ff", "UTF-8"),
        (b"a=%ed%a0%80", "UTF-8"),
        (b"a=\xc3", "UTF-8"),
        (b"a=1&a=2", "repeated"),
        (b"a=1&a=1", "repeated"),
        (b"a=&a=1", "repeated"),
        (b"a=1&%61=", "repeated"),
        (b"a&a", "repeated"),
    ],
)
def test_malformed_forms_are_refused(body: bytes, why: str) -> None:
    """A broken escape, NUL, invalid UTF-8 or a repeated parameter is nothing to guess about."""
    with pytest.raises(MalformedError, match=why):
        parse_form(body, CONTENT_TYPE)


@pytest.mark.parametrize("body", [b"", b"&", b"&&", b"a=", b"a", b"="])
def test_empty_values_count_as_omitted(body: bytes) -> None:
    """Parameters without a value are treated as if they had not been sent (RFC 6749 3.1)."""
    assert parse_form(body, CONTENT_TYPE) == {}


def test_only_the_first_equals_sign_divides() -> None:
    """A value may hold equals signs: base64 does."""
    assert parse_parameters(b"token=YQ==&b=c") == {"token": "YQ==", "b": "c"}


@pytest.mark.parametrize(
    "content_type", [None, "", "application/json", "multipart/form-data", "text/plain", ";"]
)
def test_another_content_type_is_refused(content_type: str | None) -> None:
    """Only forms are read as forms."""
    with pytest.raises(MalformedError, match="content type"):
        parse_form(b"a=b", content_type)


@pytest.mark.parametrize(
    "content_type",
    [CONTENT_TYPE.upper(), f"{CONTENT_TYPE}; charset=UTF-8", f" {CONTENT_TYPE} ;charset=x"],
)
def test_the_content_type_may_be_written_as_http_allows(content_type: str) -> None:
    """Case and parameters of the content type do not matter."""
    assert parse_form(b"a=b", content_type) == {"a": "b"}


def test_the_bounds_are_the_ones_named() -> None:
    """A form of exactly the bounds is read, one over either is not."""
    many = [f"p{number}=x" for number in range(MOST_PARAMETERS)]
    assert len(parse_parameters("&".join(many).encode())) == MOST_PARAMETERS
    with pytest.raises(MalformedError, match="too many"):
        parse_parameters("&".join([*many, "one=more"]).encode())
    longest = b"a=" + b"x" * (LONGEST - 2)
    assert len(parse_parameters(longest)["a"]) == LONGEST - 2
    with pytest.raises(MalformedError, match="too long"):
        parse_parameters(longest + b"x")


@given(TEXT)
def test_one_value_is_decoded_as_it_was_encoded(text: str) -> None:
    """Decoding undoes form encoding, plus signs included."""
    assert decode(quote_plus(text).encode()) == text
