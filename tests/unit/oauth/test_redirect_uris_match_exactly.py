from urllib.parse import urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from oauth.redirect_uris import LONGEST, matches, objection

PORTS = st.integers(1, 65535)
PATHS = st.from_regex(r"/[a-z0-9/._~%&=?-]{0,20}", fullmatch=True).filter(
    lambda path: "%" not in path
)
LOOPBACK = st.sampled_from(["127.0.0.1", "[::1]"])


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example/callback",
        "https://app.example:8443/callback?tenant=1",
        "https://app.example",
        "http://127.0.0.1:8080/callback",
        "http://[::1]/callback",
        "http://localhost:3000/callback",
    ],
)
def test_https_and_loopback_may_be_registered_by_anybody(uri: str) -> None:
    """https anywhere, http only where nobody else listens."""
    assert objection(uri, native=False) is None


def test_a_native_client_may_have_a_scheme_of_its_own() -> None:
    """A reversed domain name is a scheme of an app's own (RFC 8252 section 7.1)."""
    assert objection("com.example.app:/callback", native=True) is None
    assert objection("com.example.app:/callback", native=False) is not None


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("", "must be a URI"),
        ("/callback", "absolute"),
        ("//app.example/callback", "absolute"),
        ("app.example/callback", "absolute"),
        ("https://app.example/#", "fragment"),
        ("https://app.example/#a", "fragment"),
        ("https://", "host"),
        ("https:///callback", "host"),
        ("https://:443/callback", "host"),
        ("https://user@app.example/", "user name"),
        ("https://@app.example/", "user name"),
        ("http://user@127.0.0.1/", "user name"),
        ("http://app.example/callback", "loopback"),
        ("http://127.0.0.1.app.example/", "loopback"),
        ("http://0.0.0.0/", "loopback"),
        ("https://app.example/a b", "must be a URI"),
        ("https://app.example/\u00e9", "must be a URI"),
        ("https://app.example\\@evil.example/", "must be a URI"),
        ("https://app.example/\r\nSet-Cookie:a=b", "must be a URI"),
        ("https://app.example/%", "must be a URI"),
        ("https://app.example:99999/", "must be a URI"),
        ("https://[::1/", "must be a URI"),
        ("https://app.example/" + "a" * LONGEST, "must be a URI"),
        ("javascript:alert(1)", "reversed domain name"),
        ("data:text/html,a", "reversed domain name"),
        ("file:///etc/passwd", "reversed domain name"),
        ("myapp:/callback", "reversed domain name"),
    ],
)
def test_everything_else_is_objected_to(uri: str, why: str) -> None:
    """What can't be redirected to safely can't be registered, not even by a native client."""
    assert why in (objection(uri, native=True) or "")


@given(LOOPBACK, PATHS, PORTS, PORTS)
def test_a_native_clients_loopback_may_have_any_port(
    host: str, path: str, registered: int, presented: int
) -> None:
    """The port of a loopback address is free, with or without one registered (RFC 8252 7.3)."""
    with_port = f"http://{host}:{presented}{path}"
    assert matches(f"http://{host}:{registered}{path}", with_port, native=True)
    assert matches(f"http://{host}{path}", with_port, native=True)


@given(LOOPBACK, PATHS, PORTS, PORTS)
def test_no_other_client_gets_another_port(
    host: str, path: str, registered: int, presented: int
) -> None:
    """Port variance is for native clients alone."""
    assume(registered != presented)
    ours, theirs = f"http://{host}:{registered}{path}", f"http://{host}:{presented}{path}"
    assert not matches(ours, theirs, native=False)


@given(st.text("htp:/127.0 1[]@#?%\\&=acb9", max_size=40))
def test_nothing_but_the_port_may_differ(suffix: str) -> None:
    """What matches a loopback URI is that URI with other digits after its host, and no more."""
    registered = "http://127.0.0.1/cb"
    for presented in (f"http://127.0.0.1{suffix}", f"{suffix}://127.0.0.1/cb", suffix):
        if matches(registered, presented, native=True):
            assert urlsplit(presented).hostname == "127.0.0.1"
            port = presented.removeprefix("http://127.0.0.1").removesuffix("/cb")
            assert port == "" or (port[0] == ":" and (port[1:].isdecimal() or port == ":"))


@pytest.mark.parametrize(
    "presented",
    [
        "http://127.0.0.1:8080/cb/",
        "http://127.0.0.1:8080/CB",
        "http://127.0.0.1:8080/cb?a=b",
        "http://127.0.0.1:8080/cb#",
        "http://127.0.0.1:8080/./cb",
        "http://127.0.0.1:8080/%63b",
        "http://127.0.0.2:8080/cb",
        "http://localhost:8080/cb",
        "http://[::1]:8080/cb",
        "https://127.0.0.1:8080/cb",
        "HTTP://127.0.0.1:8080/cb",
        "http://a@127.0.0.1:8080/cb",
        "http://127.0.0.1:8080@evil.example/cb",
        "http://127.0.0.1:80:80/cb",
        "http://127.0.0.1:8080\\cb",
        "http://127.0.0.1:-1/cb",
        "http://127.0.0.1:99999/cb",
        " http://127.0.0.1:8080/cb",
        "http://127.0.0.1:8080/cb\n",
    ],
)
def test_a_loopback_uri_matches_in_everything_but_its_port(presented: str) -> None:
    """Path, query, host, scheme and their spelling stay exact for native clients too."""
    assert not matches("http://127.0.0.1/cb", presented, native=True)


def test_the_name_localhost_gets_no_free_port() -> None:
    """Only the literals are loopback for sure (RFC 8252 section 8.3)."""
    assert not matches("http://localhost/cb", "http://localhost:8080/cb", native=True)


@given(st.text(max_size=40), st.text(max_size=40))
def test_other_clients_match_exactly(registered: str, presented: str) -> None:
    """Simple string comparison (RFC 9700 section 2.1)."""
    assert matches(registered, presented, native=False) == (registered == presented)
