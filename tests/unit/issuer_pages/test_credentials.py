import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.domain import password
from issuer.domain.username import LONGEST, normalise


@pytest.mark.parametrize("typed", ["alice", "Alice", " ALICE ", "\uff41\uff4cice", "al\u2170ce"])
def test_one_name_has_one_spelling(typed: str) -> None:
    """Case, width and surrounding spaces make no other name."""
    assert normalise(typed) == "alice"


@given(st.text(max_size=200))
def test_normalising_is_stable(typed: str) -> None:
    """A normalised name normalises to itself, and is bounded."""
    once = normalise(typed)
    if once is not None:
        assert normalise(once) == once
        assert 1 <= len(once) <= LONGEST


@pytest.mark.parametrize(
    "typed", ["", "   ", "a b", "a\tb", "a\0b", "a\u200bb", "a\u202eb", "x" * 129]
)
def test_what_no_name_can_be(typed: str) -> None:
    """Empty, spaced, invisible, reordering and endless names do not exist."""
    assert normalise(typed) is None


def test_both_forms_of_a_letter_are_one_password() -> None:
    """A keyboard that composes letters and one that does not type the same password."""
    assert password.prepare("caf\u00e9 au lait") == password.prepare("cafe\u0301 au lait")


@pytest.mark.parametrize("typed", ["", "x" * 1025, "nul\0", "\ud800"])
def test_what_no_password_can_be(typed: str) -> None:
    """Empty, endless and undecodable passwords are never hashed."""
    assert password.prepare(typed) is None


@pytest.mark.parametrize(
    ("typed", "objection"),
    [
        ("short", "at least"),
        ("Long-Username", "not the username"),
        ("aaaaaaaaaaaaaaaa", "over and over"),
        ("correct horse battery staple", None),
    ],
)
def test_weak_passwords_are_objected_to(typed: str, objection: str | None) -> None:
    """An account gets no password that is short, its name, or a row of one letter."""
    found = password.objection(typed, "long-username")
    assert (found is None) if objection is None else (objection in (found or ""))
