"""Usernames: one spelling for each name, so that no two accounts look alike to a person."""

import unicodedata

LONGEST = 128


def normalise(username: str) -> str | None:
    """What was typed -> the name that accounts are kept under; None when it can be no username.

    NFKC and case folding, twice, because folding can undo the normal form.
    """
    if len(username) > LONGEST:
        return None
    folded = username.strip()
    for _ in range(2):
        folded = unicodedata.normalize("NFKC", folded).casefold()
    if not 1 <= len(folded) <= LONGEST or any(_is_forbidden(each) for each in folded):
        return None
    return folded


def _is_forbidden(character: str) -> bool:
    """Whitespace, control, format, surrogate, private and unassigned characters."""
    return character.isspace() or unicodedata.category(character).startswith(("C", "Z"))
