"""Signing keys: made here, sealed before they leave memory, published as JWKs (RFC 7517)."""

import json
import os
from dataclasses import dataclass
from typing import Any, TypeAlias

import jwt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm, get_default_algorithms

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

ALGORITHMS = ("ES256", "EdDSA", "RS256", "PS256")
"""What we sign with (RFC 7518 section 3.1, RFC 8037)."""

RSA_BITS = 3072
"""NIST SP 800-57: 128 bits of security, the same as P-256 and Ed25519."""

NONCE_BYTES = 12

_SHA256 = ec.ECDSA(hashes.SHA256())
_SIGNERS = {name: get_default_algorithms()[name] for name in ALGORITHMS}


class UnsealError(Exception):
    """A private key can't be opened: KEY_ENCRYPTION_KEY is another one, or the row was changed."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that can sign, and its public half as it is published."""

    kid: str
    alg: str
    private: PrivateKey
    public_jwk: dict[str, Any]

    def sign(self, message: bytes) -> bytes:
        """The signature as JWS writes it (RFC 7518 section 3)."""
        if self.alg == "ES256" and isinstance(self.private, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(self.private.sign(message, _SHA256))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return _SIGNERS[self.alg].sign(message, self.private)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A published key: its JWK, and the same as PyJWT verifies with."""

    kid: str
    alg: str
    jwk: dict[str, Any]
    public: Any

    @classmethod
    def of(cls, jwk: dict[str, Any]) -> "PublicKey":
        """A key from its JWK."""
        return cls(jwk["kid"], jwk["alg"], jwk, jwt.PyJWK(jwk).key)


def generate(alg: str) -> SigningKey:
    """A fresh key; its id is the RFC 7638 thumbprint of its public half."""
    private: PrivateKey
    if alg == "ES256":
        private = ec.generate_private_key(ec.SECP256R1())
    elif alg == "EdDSA":
        private = ed25519.Ed25519PrivateKey.generate()
    else:
        private = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    public = _public_members(private)
    kid = _thumbprint(public)
    return SigningKey(kid, alg, private, {**public, "kid": kid, "alg": alg, "use": "sig"})


def seal(key: SigningKey, key_encryption_key: bytes) -> bytes:
    """The private half, AES-256-GCM, bound to its key id."""
    plain = key.private.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key_encryption_key).encrypt(nonce, plain, key.kid.encode())


def unseal(
    kid: str, alg: str, sealed: bytes, public_jwk: dict[str, Any], key_encryption_key: bytes
) -> SigningKey:
    """A key as it was sealed.

    Raises:
        UnsealError: another KEY_ENCRYPTION_KEY, or the row was changed.
    """
    nonce, encrypted = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    try:
        plain = AESGCM(key_encryption_key).decrypt(nonce, encrypted, kid.encode())
    except InvalidTag:
        raise UnsealError(
            f"signing key {kid} was sealed with another REVOCAST_ISSUER_KEY_ENCRYPTION_KEY: start"
            " with that one, or, if it is lost, delete the rows of the table signing_key (`make"
            " clean` removes the one of .revocast/secrets; new keys are made)"
        ) from None
    private = serialization.load_der_private_key(plain, password=None)
    assert isinstance(  # noqa: S101 -- what we sealed is one of these
        private, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
    )
    return SigningKey(kid, alg, private, public_jwk)


def _public_members(private: PrivateKey) -> dict[str, Any]:
    public = private.public_key()
    if isinstance(public, ec.EllipticCurvePublicKey):
        text = ECAlgorithm.to_jwk(public)
    elif isinstance(public, ed25519.Ed25519PublicKey):
        text = OKPAlgorithm.to_jwk(public)
    else:
        text = RSAAlgorithm.to_jwk(public)
    members: dict[str, Any] = json.loads(text)
    return {name: members[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in members}


def _thumbprint(public: dict[str, Any]) -> str:
    canonical = json.dumps(public, sort_keys=True, separators=(",", ":")).encode()
    digest = hashes.Hash(hashes.SHA256())
    digest.update(canonical)
    return jwt.utils.base64url_encode(digest.finalize()).decode()
