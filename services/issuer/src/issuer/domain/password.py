"""Which passwords an account may have, and the one form in which they are hashed."""

import unicodedata

SHORTEST = 12
"""Characters. NIST SP 800-63B allows 8 beside a second factor and asks for 15 alone; 12 with a
limit on guessing and Argon2id at rest is the middle that people accept."""

LONGEST_BYTES = 1024
"""Far above any passphrase; bounds what a stranger can make us hash."""


def prepare(password: str) -> bytes | None:
    """The bytes to hash, in Unicode form NFC (RFC 8265 4.2.2); None when it can be no password."""
    try:
        prepared = unicodedata.normalize("NFC", password).encode()
    except UnicodeEncodeError:
        return None
    return prepared if 1 <= len(prepared) <= LONGEST_BYTES and b"\0" not in prepared else None


def objection(password: str, username: str) -> str | None:
    """Why an account may not get this password, in words for the person; None when it may."""
    if prepare(password) is None:
        return f"at most {LONGEST_BYTES} bytes of text"
    if len(password) < SHORTEST:
        return f"at least {SHORTEST} characters"
    if password.casefold() in (username.casefold(), username.casefold() * 2):
        return "not the username"
    if len(set(password)) < 4:
        return "not the same few characters over and over"
    return None
