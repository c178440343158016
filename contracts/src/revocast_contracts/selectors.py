"""What a revocation selects, and how each kind of selector is written on the revocations topic."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class SelectorKind(StrEnum):
    """What is killed: one token, one family, one sign-in, one account, one client, one key, all.

    Closed when read too: a reader that ignored a kind it does not know would miss a revocation.
    """

    JTI = "jti"
    FAMILY = "family"
    SESSION = "session"
    SUBJECT = "subject"
    CLIENT = "client"
    KEY = "key"
    ISSUER = "issuer"


class Selector(BaseModel):
    """A kind and its value.

    On the revocations topic a `subject` value is `subject_hash(...)`, which access tokens carry as
    their claim `subject_hash`, and a `jti` value is `jti_hash(...)`; the others stand as they are.
    For `issuer` the value is the issuer's URL.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: SelectorKind
    value: str = Field(min_length=1, max_length=512)

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


def jti_hash(jti: str) -> str:
    """SHA-256 of a token's `jti`, base64url: names the token in events without being its id."""
    return _base64url(hashlib.sha256(jti.encode()).digest())


def keyed_hash(value: str, key: bytes) -> str:
    """HMAC-SHA-256 of personal data, 128 bits of it, base64url: joins records, names nobody."""
    return _base64url(hmac.digest(key, value.encode(), "sha256")[:16])


def subject_hash(subject: str, key: bytes) -> str:
    """The keyed hash of a subject, as entries and the access token's `subject_hash` carry it."""
    return keyed_hash(f"subject:{subject}", key)


def _base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
