import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth import pkce

VERIFIERS = st.from_regex(r"[A-Za-z0-9\-._~]{43,128}", fullmatch=True)


def test_the_example_of_the_rfc_holds() -> None:
    """Appendix B of RFC 7636, number for number."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert pkce.s256(verifier) == challenge
    assert pkce.matches(verifier, challenge)


@given(VERIFIERS, VERIFIERS)
def test_a_challenge_is_answered_by_its_verifier_alone(one: str, other: str) -> None:
    """Another verifier has another challenge."""
    assert pkce.verifier_is_valid(one)
    assert pkce.challenge_is_valid(pkce.s256(one))
    assert pkce.matches(one, pkce.s256(other)) == (one == other)


@pytest.mark.parametrize(
    "verifier", ["", "a" * 42, "a" * 129, "a" * 42 + " ", "a" * 42 + "+", "a" * 43 + "\n", "é" * 43]
)
def test_a_malformed_verifier_answers_nothing(verifier: str) -> None:
    """43 to 128 unreserved characters (section 4.1); anything else matches no challenge."""
    assert not pkce.verifier_is_valid(verifier)
    assert not pkce.matches(verifier, pkce.s256(verifier))


@given(st.text(max_size=60))
def test_any_text_can_be_compared(text: str) -> None:
    """Whatever was stored or sent, comparing raises nothing."""
    assert not pkce.matches("v" * 43, text) or text == pkce.s256("v" * 43)


@pytest.mark.parametrize("challenge", ["", "a" * 42, "a" * 44, "a" * 42 + "=", "a" * 42 + "."])
def test_a_challenge_has_one_form(challenge: str) -> None:
    """An S256 challenge is 43 characters of base64url without padding."""
    assert not pkce.challenge_is_valid(challenge)
