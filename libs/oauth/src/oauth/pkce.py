"""Proof Key for Code Exchange, the server's half (RFC 7636). Only S256."""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode

_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")
_CHALLENGE = re.compile(r"[A-Za-z0-9\-_]{43}")


def verifier_is_valid(verifier: str) -> bool:
    """Whether a code verifier has the form of section 4.1."""
    return _VERIFIER.fullmatch(verifier) is not None


def challenge_is_valid(challenge: str) -> bool:
    """Whether a challenge can be the S256 challenge of anything: 43 characters of base64url."""
    return _CHALLENGE.fullmatch(challenge) is not None


def s256(verifier: str) -> str:
    """The challenge of a verifier (section 4.2)."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def matches(verifier: str, challenge: str) -> bool:
    """Whether a verifier answers a challenge (section 4.6), in constant time.

    One that breaks section 4.1 answers none.
    """
    return verifier_is_valid(verifier) and hmac.compare_digest(
        s256(verifier).encode(), challenge.encode()
    )
