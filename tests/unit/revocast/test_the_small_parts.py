from datetime import timedelta

import pytest

import revocast
from revocast import pkce, policies
from revocast.bearer import response_headers, token_of
from revocast.errors import (
    InsufficientScope,
    InvalidRequest,
    InvalidToken,
    NoToken,
    RevokedToken,
    TokenRefused,
    Unavailable,
)


def test_the_public_names_are_these() -> None:
    """A name that leaves or joins this list is a decision, not an accident."""
    assert revocast.__all__ == [
        "Claims",
        "Entry",
        "Feed",
        "Guard",
        "InsufficientScope",
        "InvalidRequest",
        "InvalidToken",
        "KafkaFeed",
        "NoToken",
        "Policy",
        "Revocations",
        "RevokedToken",
        "Stats",
        "TokenRefused",
        "Unavailable",
        "pkce",
        "policies",
    ]
    assert all(hasattr(revocast, name) for name in revocast.__all__)


def test_the_challenge_is_that_of_the_rfc() -> None:
    """RFC 7636 appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert pkce.challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_verifier_is_fresh_and_valid() -> None:
    """RFC 7636 section 4.1: at least 43 unreserved characters, new every time."""
    verifiers = {pkce.verifier() for _ in range(100)}
    assert len(verifiers) == 100
    assert all(len(pkce.challenge(verifier)) == 43 for verifier in verifiers)


@pytest.mark.parametrize(
    "bad", ["", "a" * 42, "a" * 129, "ä" * 43, "a" * 42 + " ", "a" * 43 + "\n"]
)
def test_what_is_no_verifier_has_no_challenge(bad: str) -> None:
    """A client notices its mistake here rather than at the issuer."""
    with pytest.raises(ValueError, match="43 to 128"):
        pkce.challenge(bad)


@pytest.mark.parametrize("age", [-10.0, 0.0, 59.9, 60.0, 1e9])
def test_a_policy_decides_by_age(age: float) -> None:
    """closed lets nothing pass, open everything, bounded what is younger than its age."""
    assert not policies.closed.accepts(age)
    assert policies.open.accepts(age)
    assert policies.bounded(timedelta(minutes=1)).accepts(age) is (age < 60)


@pytest.mark.parametrize("age", [timedelta(0), timedelta(seconds=-1)])
def test_a_bound_is_positive(age: timedelta) -> None:
    """Anything else is a mistake, not a policy."""
    with pytest.raises(ValueError, match="positive"):
        policies.bounded(age)


@pytest.mark.parametrize("value", [b"Bearer abc", b"bearer abc", b"BEARER   a.b-c_d~e+f/g== "])
def test_the_token_comes_from_the_header(value: bytes) -> None:
    """RFC 6750 section 2.1, the scheme in any case (RFC 9110 section 11.1)."""
    token = value.split(b" ", 1)[1].strip().decode()
    assert token_of([(b"host", b"x"), (b"Authorization", value)]) == token


@pytest.mark.parametrize(
    "headers",
    [[], [(b"authorization", b"Basic YTpi")], [(b"authorization", b"")], [(b"x", b"Bearer a")]],
)
def test_another_scheme_is_no_token(headers: list[tuple[bytes, bytes]]) -> None:
    """RFC 6750 section 3.1: then the challenge carries no error code."""
    with pytest.raises(NoToken) as caught:
        token_of(headers)
    challenge = response_headers(caught.value, realm="r", scopes=["b", "a"])
    assert challenge == {"WWW-Authenticate": 'Bearer realm="r", scope="a b"'}


@pytest.mark.parametrize(
    "value", [b"Bearer", b"Bearer ", b"Bearer a b", b"Bearer \xff", b"Bearer a,b"]
)
def test_a_malformed_header_is_an_invalid_request(value: bytes) -> None:
    """RFC 6750 section 3.1: 400 invalid_request."""
    with pytest.raises(InvalidRequest):
        token_of([(b"authorization", value)])


def test_two_headers_are_an_invalid_request() -> None:
    """Two parts of a system must not see two callers."""
    with pytest.raises(InvalidRequest):
        token_of([(b"authorization", b"Bearer a"), (b"authorization", b"Bearer a")])


@pytest.mark.parametrize(
    ("refused", "status", "headers"),
    [
        (
            InvalidToken("x"),
            401,
            {
                "WWW-Authenticate": 'Bearer realm="a\\"b\\\\", error="invalid_token", '
                'error_description="The access token is malformed, expired, revoked or not for '
                'this API.", scope="s"'
            },
        ),
        (
            InsufficientScope("x", scopes=["t", "s"]),
            403,
            {
                "WWW-Authenticate": 'Bearer realm="a\\"b\\\\", error="insufficient_scope", '
                'error_description="The access token lacks a required scope.", scope="s t"'
            },
        ),
        (Unavailable("x", retry_after=3), 503, {"Retry-After": "3"}),
    ],
)
def test_every_refusal_has_its_answer(
    refused: TokenRefused, status: int, headers: dict[str, str]
) -> None:
    """RFC 6750 section 3: quoted, escaped, and nothing of the detail."""
    assert refused.status == status
    assert response_headers(refused, realm='a"b\\', scopes=["s"]) == headers


def test_a_revoked_token_looks_like_any_invalid_one() -> None:
    """The caller learns the same; the application can tell them apart."""
    public = ("status", "error", "description")
    assert [getattr(RevokedToken, name) for name in public] == [
        getattr(InvalidToken, name) for name in public
    ]
