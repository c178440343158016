"""Proof Key for Code Exchange, the client's half (RFC 7636 section 4). Only S256."""

import hashlib
import re
import secrets
from base64 import urlsafe_b64encode

METHOD = "S256"

_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")


def verifier() -> str:
    """A fresh code verifier: 256 random bits as 43 characters (section 4.1)."""
    return secrets.token_urlsafe(32)


def challenge(code_verifier: str) -> str:
    """The S256 challenge of a verifier, 43 characters (section 4.2).

    Raises:
        ValueError: not a verifier of section 4.1.
    """
    if _VERIFIER.fullmatch(code_verifier) is None:
        raise ValueError("a code verifier is 43 to 128 of the unreserved characters")
    digest = hashlib.sha256(code_verifier.encode("ascii")).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
