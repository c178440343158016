import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth import scopes

TOKENS = st.text(
    st.sampled_from([chr(c) for c in range(0x21, 0x7F) if chr(c) not in '"\\']),
    min_size=1,
    max_size=12,
)


@given(st.sets(TOKENS, min_size=1, max_size=10))
def test_scopes_come_back_as_they_were_written(tokens: set[str]) -> None:
    """Rendering and parsing are inverse, and equal sets read alike."""
    assert scopes.parse(scopes.render(tokens)) == tokens
    assert scopes.render(sorted(tokens, reverse=True)) == scopes.render(tokens)


@given(st.text(max_size=20))
def test_only_the_grammar_is_a_scope(text: str) -> None:
    """Scope tokens are %x21 / %x23-5B / %x5D-7E, divided by single spaces (RFC 6749 3.3)."""
    allowed = all("!" <= c <= "~" and c not in '"\\' for c in text.replace(" ", ""))
    single = text != "" and "" not in text.split(" ")
    assert scopes.is_valid(text) == (allowed and single)


@pytest.mark.parametrize(
    "scope", ["", " ", " a", "a ", "a  b", "a\tb", 'a"', "a\\", "\u00e9", "a\n", "x" * 2049]
)
def test_anything_else_is_refused(scope: str) -> None:
    """What is not of the grammar is not guessed at."""
    assert not scopes.is_valid(scope)
    with pytest.raises(ValueError, match="scope tokens"):
        scopes.parse(scope)
