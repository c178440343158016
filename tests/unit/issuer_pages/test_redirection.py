from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.domain.redirection import form_action_source, location, place


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_value_stays_inside_its_parameter(state: str) -> None:
    """Whatever a state holds, it comes back as that one parameter and changes nothing else."""
    target = urlsplit(location("https://app.example/cb", {"state": state, "code": "c"}))
    assert (target.scheme, target.netloc, target.path) == ("https", "app.example", "/cb")
    assert parse_qsl(target.query, keep_blank_values=True) == [("state", state), ("code", "c")]
    assert target.fragment == ""


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://app.example/cb", "https://app.example/cb?code=c"),
        ("https://app.example/cb?tenant=1", "https://app.example/cb?tenant=1&code=c"),
        ("https://app.example/cb?", "https://app.example/cb?code=c"),
        ("com.example.app:/cb", "com.example.app:/cb?code=c"),
        ("http://127.0.0.1:5000/cb", "http://127.0.0.1:5000/cb?code=c"),
    ],
)
def test_the_registered_query_is_kept(uri: str, expected: str) -> None:
    """RFC 6749 section 3.1.2: the URI's own query is retained."""
    assert location(uri, {"code": "c", "state": None}) == expected


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        ("https://app.example/cb", "https://app.example"),
        ("http://127.0.0.1:5000/cb", "http://127.0.0.1:5000"),
        ("http://[::1]:5000/cb", "http:"),
        ("com.example.app:/cb", "com.example.app:"),
        ("https://app.example;script-src */cb", "https:"),
        ("https://app.example, https://evil.example/cb", "https:"),
    ],
)
def test_a_source_is_one_token(uri: str, source: str) -> None:
    """What stands in the policy is an origin or a scheme, never text that ends a directive."""
    assert form_action_source(uri) == source


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("https://app.example/cb", "app.example"),
        ("http://127.0.0.1:5000/cb", "an application on this device"),
        ("http://[::1]:5000/cb", "an application on this device"),
        ("com.example.app:/cb", "the app that opens com.example.app links"),
    ],
)
def test_people_read_where_they_return_to(uri: str, words: str) -> None:
    """The page names the place, not the address."""
    assert place(uri) == words
