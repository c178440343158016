"""Scope values (RFC 6749 section 3.3 and appendix A.4)."""

import re
from collections.abc import Iterable

LONGEST = 2048
"""Characters of a whole scope parameter."""

_TOKEN = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")


def is_valid(scope: str) -> bool:
    """Whether a scope parameter is scope tokens separated by single spaces."""
    return len(scope) <= LONGEST and all(map(_TOKEN.fullmatch, scope.split(" ")))


def parse(scope: str) -> frozenset[str]:
    """A scope parameter -> its tokens.

    Raises:
        ValueError: it is not of the grammar.
    """
    if not is_valid(scope):
        raise ValueError("scope is not space-separated scope tokens")
    return frozenset(scope.split(" "))


def render(scope: Iterable[str]) -> str:
    """Scope tokens -> a scope parameter, sorted so that equal sets read alike."""
    return " ".join(sorted(scope))
