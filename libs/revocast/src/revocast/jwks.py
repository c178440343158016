"""A JWK Set (RFC 7517 section 5) -> keys that may verify a token; everything else is left out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jwt import PyJWK, PyJWTError
from jwt.algorithms import get_default_algorithms

ALGORITHMS = frozenset({"ES256", "EdDSA", "RS256", "PS256"})
"""Every algorithm a guard can accept: asymmetric only, so never `none` and never HS*."""

LONGEST_KID = 128
MOST_KEYS = 64
SHORTEST_RSA_BITS = 2048

_ALGORITHMS_OF_TYPE = {
    ("EC", "P-256"): frozenset({"ES256"}),
    ("OKP", "Ed25519"): frozenset({"EdDSA"}),
    ("RSA", None): frozenset({"RS256", "PS256"}),
}
_VERIFIERS = {name: get_default_algorithms()[name] for name in ALGORITHMS}


@dataclass(frozen=True, slots=True)
class Key:
    """One public key and the algorithms that it may be used with."""

    kid: str
    algorithms: frozenset[str]
    public: Any

    def verifies(self, algorithm: str, signing_input: bytes, signature: bytes) -> bool:
        """Whether the signature is this key's, by an algorithm that is this key's."""
        if algorithm not in self.algorithms:
            return False
        return _VERIFIERS[algorithm].verify(signing_input, self.public, signature)


def parse_jwks(document: Mapping[str, Any]) -> dict[str, Key]:
    """The usable signing keys of a JWK Set by `kid`.

    Raises:
        ValueError: it has no usable key, too many, or two of one `kid`.
    """
    members = document.get("keys")
    if not isinstance(members, list) or len(members) > MOST_KEYS:
        raise ValueError("`keys` is not a list of a sane length")
    keys: dict[str, Key] = {}
    for member in members:
        key = _parse_jwk(member)
        if key is not None and key.kid in keys:
            raise ValueError("two keys have the same kid")
        if key is not None:
            keys[key.kid] = key
    if not keys:
        raise ValueError("no usable signing key")
    return keys


def _parse_jwk(member: Any) -> Key | None:
    if not isinstance(member, dict) or not _is_for_verifying(member):
        return None
    kid, algorithms = member.get("kid"), _algorithms(member)
    if not isinstance(kid, str) or not 0 < len(kid) <= LONGEST_KID or not algorithms:
        return None
    try:
        public = PyJWK(member, algorithm=min(algorithms)).key
    except (PyJWTError, ValueError, TypeError, KeyError):
        return None
    if member["kty"] == "RSA" and public.key_size < SHORTEST_RSA_BITS:
        return None
    return Key(kid, algorithms, public)


def _is_for_verifying(member: dict[str, Any]) -> bool:
    operations = member.get("key_ops", ["verify"])
    verifying = isinstance(operations, list) and "verify" in operations
    return member.get("use", "sig") == "sig" and verifying and "d" not in member


def _algorithms(member: dict[str, Any]) -> frozenset[str]:
    """By key type and curve, narrowed to the key's own `alg` where it has one."""
    kind, curve, own = member.get("kty"), member.get("crv"), member.get("alg")
    if not isinstance(kind, str) or not isinstance(curve, str | None):
        return frozenset()
    fitting = _ALGORITHMS_OF_TYPE.get((kind, curve), frozenset())
    return fitting if own is None else fitting & {str(own)}
