"""Hidden fields that only we can make, that one browser can send back, and that expire.

A sealed field carries an authorization request from page to page, so the server keeps nothing;
bound to the browser's cookie, it is at the same time the protection against cross-site requests.
"""

import hmac
import json
import os
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

LIFETIME = timedelta(hours=1)
"""How long a page may stay open before its button stops working."""

LONGEST = 32 * 1024
_SALT = 32
_NONCE = bytes(12)


class Sealer:
    """AES-256-GCM under COOKIE_KEY. Each field has its own key, so the fixed nonce is used once.

    `clock` gives seconds since the epoch.
    """

    def __init__(self, key: bytes, *, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._clock = clock

    def seal(self, purpose: str, browser: str, content: dict[str, Any]) -> str:
        """JSON content -> text for a hidden field of this browser's page."""
        salt = os.urandom(_SALT)
        expires_at = int(self._clock() + LIFETIME.total_seconds())
        plain = json.dumps({"expires_at": expires_at, "content": content}).encode()
        sealed = self._cipher(salt).encrypt(_NONCE, plain, _bound_to(purpose, browser))
        return urlsafe_b64encode(salt + sealed).decode()

    def open(self, purpose: str, browser: str, field: str) -> dict[str, Any] | None:
        """What was sealed; None when it was not by us, for this, in this browser, or not lately."""
        if len(field) > LONGEST:
            return None
        try:
            raw = urlsafe_b64decode(field.encode("ascii"))
            plain = self._cipher(raw[:_SALT]).decrypt(
                _NONCE, raw[_SALT:], _bound_to(purpose, browser)
            )
        except (Base64Error, ValueError, InvalidTag):
            return None
        opened: dict[str, Any] = json.loads(plain)
        content: dict[str, Any] = opened["content"]
        return content if self._clock() < opened["expires_at"] else None

    def _cipher(self, salt: bytes) -> AESGCM:
        return AESGCM(hmac.digest(self._key, b"sealed field" + salt, "sha256"))


def _bound_to(purpose: str, browser: str) -> bytes:
    return f"{purpose}\n{browser}".encode(errors="replace")
