from base64 import b64encode
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth.basic import LONGEST, parse_basic
from oauth.forms import MalformedError

TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=60)


def header(raw: bytes, scheme: str = "Basic") -> str:
    return f"{scheme} {b64encode(raw).decode()}"


@given(TEXT, TEXT)
def test_both_halves_are_form_decoded(client_id: str, secret: str) -> None:
    """Id and secret come back as they are, whatever characters they hold (RFC 6749 2.3.1)."""
    raw = f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()
    assert parse_basic(header(raw)) == (client_id, secret)


@given(st.text(max_size=80))
def test_any_header_is_read_or_refused(text: str) -> None:
    """Whatever stands in the header, the answer is two halves, none, or a refusal."""
    try:
        found = parse_basic(f"Basic {text}")
    except MalformedError:
        return
    assert found is not None


@pytest.mark.parametrize("authorization", ["", "Bearer abc", "basically YTpi", "Digest a=b"])
def test_another_scheme_is_no_basic(authorization: str) -> None:
    """A header of another scheme is not ours to judge."""
    assert parse_basic(authorization) is None


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_the_scheme_is_not_case_sensitive(scheme: str) -> None:
    """Scheme names are compared without case (RFC 9110 section 11.1)."""
    assert parse_basic(header(b"a:b", scheme)) == ("a", "b")


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic YTpi\u00e9",
        "Basic YTp",
        header(b"no colon"),
        header(b"a:%"),
        header(b"a:%00"),
        header(b"\xff:a"),
        header(b"a:" + b"x" * LONGEST),
    ],
)
def test_malformed_credentials_are_refused(authorization: str) -> None:
    """What claims to be Basic and is not is an invalid request, never an error of ours."""
    with pytest.raises(MalformedError):
        parse_basic(authorization)


def test_a_secret_may_hold_a_colon() -> None:
    """Only the first colon divides (RFC 7617 section 2)."""
    assert parse_basic(header(b"a:b:c")) == ("a", "b:c")
