"""Tokens that come back to us: their claims, if one of our keys signed them."""

from typing import Any

import jwt

from issuer.signing.keys import PublicKey

LONGEST_TOKEN = 8192
"""Characters of a JWT that we would read: ours have about a thousand."""


def key_id(token: str) -> str | None:
    """The `kid` that a token names, unverified; None for what is no JWT. Never raises."""
    if len(token) > LONGEST_TOKEN:
        return None
    try:
        kid = jwt.get_unverified_header(token).get("kid")
    except (jwt.PyJWTError, ValueError, RecursionError):
        return None
    return kid if isinstance(kid, str) else None


def verified(
    token: str, key: PublicKey, *, issuer: str, expired_too: bool = False
) -> dict[str, Any] | None:
    """The claims of a token that `key` signed for `issuer`; None for any other. Never raises.

    `iat` is not held against our own clock: it is the database's, which may be ahead of it.
    """
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key.public,
            algorithms=[key.alg],
            issuer=issuer,
            options={
                "verify_aud": False,
                "verify_iat": False,
                "verify_exp": not expired_too,
                "require": ["iss", "sub", "aud", "iat", "exp"],
            },
        )
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        return None
    return claims
