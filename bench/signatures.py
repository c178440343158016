"""Signatures of tokens that a benchmark was given: sampled while it runs, checked afterwards."""

from typing import Any

import httpx
import jwt

EVERY = 97
"""One token of so many is kept: enough to notice a server that stopped signing."""


class Samples:
    """Every so many-th token; keeping one costs the generator nothing."""

    def __init__(self) -> None:
        self._seen = 0
        self._kept: list[str] = []

    def note(self, token: str) -> None:
        """Count a token; keep it if it is its turn."""
        if self._seen % EVERY == 0:
            self._kept.append(token)
        self._seen += 1

    def check(self, jwks: str, *, algorithm: str = "ES256") -> int:
        """Check all that were kept against the keys at `jwks`, and forget them; how many.

        Raises:
            jwt.InvalidTokenError: one is not signed by these keys, or not with `algorithm`.
        """
        keys: dict[str, Any] = {
            key["kid"]: jwt.PyJWK(key).key
            for key in httpx.get(jwks, timeout=10).raise_for_status().json()["keys"]
            if key.get("alg") == algorithm
        }
        for token in self._kept:
            key = keys.get(jwt.get_unverified_header(token)["kid"])
            if key is None:
                raise jwt.InvalidTokenError(f"not signed by an {algorithm} key of {jwks}")
            jwt.decode(token, key, algorithms=[algorithm], options={"verify_aud": False})
        checked = len(self._kept)
        self._kept.clear()
        return checked
