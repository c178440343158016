"""The refresh token: names its family and generation, and can be made again, but not guessed.

`rvc_rt_<key-id>.<family>.<generation>.<mac>`, mac = SHA-256(HMAC(key, family|generation) | salt).
The salt lives only in the family's row: neither the key nor the database alone can forge one. The
successor is deterministic, so a retry gets the same one and no secret is stored.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from uuid import UUID

PREFIX = "rvc_rt_"
LONGEST = 200
MAC_BYTES = 32


@dataclass(frozen=True, slots=True)
class MacKeys:
    """The server's MAC keys by id, and the id of the one that makes new families."""

    keys: dict[str, bytes]
    active: str

    def half(self, key_id: str, family: UUID, generation: int) -> bytes:
        """The keyed half of a mac: worthless without the family's salt.

        Raises:
            KeyError: no such key.
        """
        return hmac.digest(self.keys[key_id], f"{family}|{generation}".encode(), "sha256")

    def mint(self, key_id: str, family: UUID, generation: int, salt: bytes) -> str:
        """The refresh token of a generation. Deterministic."""
        mac = hashlib.sha256(self.half(key_id, family, generation) + salt).digest()
        encoded = urlsafe_b64encode(mac).rstrip(b"=").decode()
        return f"{PREFIX}{key_id}.{family.hex}.{generation}.{encoded}"


@dataclass(frozen=True, slots=True)
class PresentedToken:
    """A refresh token taken apart; nothing about it is verified yet."""

    key_id: str
    family: UUID
    generation: int
    mac: bytes

    @property
    def mac_sha256(self) -> bytes:
        """What the database compares, so that its comparison's timing tells nothing about macs."""
        return hashlib.sha256(self.mac).digest()


def parse(token: str) -> PresentedToken | None:
    """A refresh token's text -> its parts; None when it is not of our form."""
    if not token.startswith(PREFIX) or len(token) > LONGEST or not token.isascii():
        return None
    parts = token[len(PREFIX) :].split(".")
    if len(parts) != 4:
        return None
    key_id, family, generation, mac = parts
    if len(family) != 32 or not generation.isdecimal() or len(generation) > 9 or len(mac) != 43:
        return None
    try:
        presented = PresentedToken(
            key_id, UUID(hex=family), int(generation), urlsafe_b64decode(mac + "=")
        )
    except (ValueError, Base64Error):
        return None
    canonical = presented.generation > 0 and str(presented.generation) == generation
    return presented if canonical and len(presented.mac) == MAC_BYTES else None
