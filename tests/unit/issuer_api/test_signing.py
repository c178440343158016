import hashlib
import os
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.domain.client import Resource
from issuer.domain.outcomes import Minted
from issuer.signing.keys import (
    ALGORITHMS,
    PublicKey,
    SigningKey,
    UnsealError,
    generate,
    seal,
    unseal,
)
from issuer.signing.tokens import Tokens
from issuer.signing.verification import key_id, verified
from tests.support.issuer import HASH_KEY, RESOURCE

ISSUER = "https://id.example"
KEYS = {alg: generate(alg) for alg in ALGORITHMS}
TOKENS = Tokens(ISSUER, HASH_KEY)
API = Resource(uri=RESOURCE, profile="rfc9068", alg="ES256", scopes=frozenset())
NOW = datetime.now(UTC)
LIFETIME = timedelta(days=1)
"""Longer than any run of the tests."""
MINTED = Minted(
    client_id="web",
    subject=str(uuid4()),
    scope=frozenset({"openid", "orders.read"}),
    resource=RESOURCE,
    jti="a jti",
    issued_at=NOW,
    expires_at=NOW + LIFETIME,
    family=uuid4(),
    session=uuid4(),
    auth_time=NOW - timedelta(minutes=1),
    acr="password",
    id_token=True,
    nonce="a nonce",
)


def public(key: SigningKey) -> PublicKey:
    return PublicKey.of(key.public_jwk)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_what_is_signed_verifies(alg: str) -> None:
    """Each algorithm's token verifies with its key, and with no key of another algorithm."""
    token = TOKENS.access_token(MINTED, KEYS[alg], API)
    assert key_id(token) == KEYS[alg].kid
    for other, key in KEYS.items():
        claims = verified(token, public(key), issuer=ISSUER)
        assert (claims is not None) == (other == alg)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_key_id_is_the_thumbprint(alg: str) -> None:
    """`kid` is the thumbprint of the required members of the public key (RFC 7638 section 3)."""
    members = {"ES256": "crv kty x y", "EdDSA": "crv kty x"}.get(alg, "e kty n").split()
    jwk = KEYS[alg].public_jwk
    text = "{" + ",".join(f'"{name}":"{jwk[name]}"' for name in members) + "}"
    digest = hashlib.sha256(text.encode()).digest()
    assert KEYS[alg].kid == jwt.utils.base64url_encode(digest).decode()


def test_times_are_whole_seconds_rounded_down() -> None:
    """A token is never younger than its decision: guards compare whole seconds."""
    late = NOW.replace(microsecond=999_999)
    minted = Minted(
        client_id="m",
        subject="m",
        scope=frozenset(),
        resource=RESOURCE,
        jti="j",
        issued_at=late,
        expires_at=late + LIFETIME,
    )
    token = TOKENS.access_token(minted, KEYS["ES256"], API)
    claims = verified(token, public(KEYS["ES256"]), issuer=ISSUER)
    assert claims is not None
    assert claims["iat"] == int(late.timestamp())
    assert claims["exp"] == claims["iat"] + LIFETIME.total_seconds()


def test_a_token_for_a_client_says_nothing_of_a_person() -> None:
    """What was not decided is not claimed: no family, session, sign-in or nonce."""
    minted = Minted(
        client_id="m",
        subject="m",
        scope=frozenset({"a"}),
        resource=RESOURCE,
        jti="j",
        issued_at=NOW,
        expires_at=NOW + LIFETIME,
    )
    token = TOKENS.access_token(minted, KEYS["ES256"], API)
    claims = verified(token, public(KEYS["ES256"]), issuer=ISSUER)
    assert claims is not None
    assert claims.keys() == {
        "iss", "sub", "aud", "client_id", "scope", "jti", "iat", "exp", "subject_hash"
    }  # fmt: skip


def test_an_id_token_has_nothing_of_an_access_token() -> None:
    """An ID token has none of the claims by which an access token is known."""
    access = TOKENS.access_token(MINTED, KEYS["ES256"], API)
    claims = verified(
        TOKENS.id_token(MINTED, KEYS["RS256"], access), public(KEYS["RS256"]), issuer=ISSUER
    )
    assert claims is not None
    assert not {"jti", "client_id", "scope", "family", "subject_hash"} & claims.keys()
    assert (claims["aud"], claims["nonce"]) == ("web", "a nonce")


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_sealed_key_opens_with_its_key_and_name_only(alg: str) -> None:
    """What is sealed is another text each time, and opens only as the key that it is."""
    key, kek = KEYS[alg], os.urandom(32)
    sealed = seal(key, kek)
    assert sealed != seal(key, kek)
    opened = unseal(key.kid, alg, sealed, key.public_jwk, kek)
    assert public(key).alg == alg
    token = TOKENS.access_token(MINTED, opened, API)
    assert verified(token, public(key), issuer=ISSUER) is not None
    broken = bytearray(sealed)
    broken[-1] ^= 1
    for kid, raw, with_key in (
        (key.kid, sealed, os.urandom(32)),
        ("another", sealed, kek),
        (key.kid, bytes(broken), kek),
    ):
        with pytest.raises(UnsealError):
            unseal(kid, alg, raw, key.public_jwk, with_key)


FORGED: dict[str, dict[str, Any]] = {
    "expired": {"exp": int(NOW.timestamp()) - 1},
    "of another issuer": {"iss": "https://id.example/"},
    "without issuer": {"iss": None},
    "without subject": {"sub": None},
    "without expiry": {"exp": None},
    "without audience": {"aud": None},
}


@pytest.mark.parametrize("changed", FORGED.values(), ids=FORGED.keys())
def test_a_token_of_ours_can_still_be_no_good(changed: dict[str, Any]) -> None:
    """A right signature is not enough."""
    key = KEYS["ES256"]
    good = {
        "iss": ISSUER,
        "sub": "s",
        "aud": "a",
        "iat": 1,
        "exp": int((NOW + LIFETIME).timestamp()),
    }

    def sign(claims: dict[str, Any]) -> str:
        present = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(present, key.private, "ES256", headers={"kid": key.kid})

    assert verified(sign(good), public(key), issuer=ISSUER) is not None
    assert verified(sign(good | changed), public(key), issuer=ISSUER) is None


def test_an_expired_token_may_still_be_recognised() -> None:
    """A hint names somebody also after it expired, but only a token of ours."""
    key = KEYS["ES256"]
    old = {"iss": ISSUER, "sub": "s", "aud": "a", "iat": 1, "exp": 2}
    token = jwt.encode(old, key.private, "ES256", headers={"kid": key.kid})
    assert verified(token, public(key), issuer=ISSUER) is None
    assert verified(token, public(key), issuer=ISSUER, expired_too=True) == old


@pytest.mark.parametrize("alg", ["HS256", "HS512"])
def test_only_the_keys_own_algorithm_counts(alg: str) -> None:
    """A header that names another algorithm, even one of ours, is refused."""
    key = KEYS["ES256"]
    claims = {"iss": ISSUER, "sub": "s", "aud": "a", "iat": 1, "exp": 2**33}
    token = jwt.encode(claims, "k" * 64, alg, headers={"kid": key.kid})
    assert verified(token, public(key), issuer=ISSUER) is None


@given(st.text() | st.from_regex(r"[A-Za-z0-9_\-]*\.[A-Za-z0-9_\-]*\.[A-Za-z0-9_\-]*"))
def test_no_text_breaks_the_verification(text: str) -> None:
    """Whatever is presented as a token, the answer is no, never an exception."""
    assert verified(text, public(KEYS["ES256"]), issuer=ISSUER) is None
    assert key_id(text) is None or isinstance(key_id(text), str)


@pytest.mark.parametrize(
    "header",
    ["[" * 5000, '{"kid":["a"]}', '{"kid":null}', '{"alg":"ES256"}', '"text"', "1e999", ""],
)
def test_odd_headers_name_no_key(header: str) -> None:
    """A header that is deeply nested, or has no `kid` that is text, names no key."""
    encoded = jwt.utils.base64url_encode(header.encode()).decode()
    assert key_id(f"{encoded}.e30.AAAA") is None
