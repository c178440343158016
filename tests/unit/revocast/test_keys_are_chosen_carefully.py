import json
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from revocast.fetch import check_issuer, metadata_url
from revocast.jwks import MOST_KEYS, parse_jwks
from revocast.key_file import KeyFileError, read_key_file, write_key_file
from revocast.keys import STALE_AFTER
from revocast_contracts.lifetimes import LONGEST_ACCESS_TOKEN, REVOCATIONS_RETENTION
from tests.unit.revocast.support import ISSUER, NOW, SigningKey, signing_key

GOOD = signing_key().jwk()
JWKS: dict[str, Any] = {"keys": [GOOD]}


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "key",
        {},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "b", "alg": "HS256"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "b"},
        {"kty": ["EC"], "kid": "b"},
        {**signing_key("ES256", "b").jwk(), "alg": "HS256"},
        {**signing_key("ES256", "b").jwk(), "alg": "RS256"},
        {**signing_key("ES256", "b").jwk(), "alg": "none"},
        {**signing_key("ES256", "b").jwk(), "use": "enc"},
        {**signing_key("ES256", "b").jwk(), "key_ops": ["sign"]},
        {**signing_key("ES256", "b").jwk(), "d": "AA"},
        {**signing_key("ES256", "b").jwk(), "kid": 7},
        {**signing_key("ES256", "b").jwk(), "crv": "P-384"},
        SigningKey("b", "RS256", rsa.generate_private_key(65537, 1024)).jwk(),  # noqa: S505 - it is to be refused
    ],
)
def test_an_unusable_key_is_left_out(bad: object) -> None:
    """One strange member does not take the good keys with it, and is never used."""
    assert set(parse_jwks({"keys": [bad, GOOD]})) == {"key-1"}
    with pytest.raises(ValueError, match="no usable"):
        parse_jwks({"keys": [bad]})


@pytest.mark.parametrize("keys", [None, {}, [], [GOOD, GOOD], [GOOD] * (MOST_KEYS + 1)])
def test_a_set_that_makes_no_sense_is_refused(keys: object) -> None:
    """No keys, too many, or two of one kid: the keys at hand stay in use."""
    with pytest.raises(ValueError, match="key"):
        parse_jwks({"keys": keys})


@given(st.dictionaries(st.sampled_from(sorted(GOOD)), st.integers() | st.text() | st.none()))
def test_a_strange_key_never_breaks_the_set(changes: dict[str, object]) -> None:
    """Whatever stands in a key, the set is parsed or refused with ValueError."""
    try:
        parse_jwks({"keys": [GOOD | changes]})
    except ValueError:
        assert changes


def test_a_key_without_alg_fits_its_type() -> None:
    """An RSA key that names no algorithm verifies RS256 and PS256, and nothing else."""
    jwk = signing_key("RS256").jwk()
    del jwk["alg"]
    assert parse_jwks({"keys": [jwk]})["key-1"].algorithms == {"RS256", "PS256"}


def test_no_cache_of_keys_outlives_a_key_entry() -> None:
    """Keys are dropped while an entry that denies a stolen key still stands on the log."""
    assert LONGEST_ACCESS_TOKEN < STALE_AFTER < REVOCATIONS_RETENTION


@pytest.mark.parametrize(
    ("issuer", "url"),
    [
        ("https://i.example", "https://i.example/.well-known/oauth-authorization-server"),
        ("https://i.example/", "https://i.example/.well-known/oauth-authorization-server"),
        (
            "http://localhost:8400/a",
            "http://localhost:8400/.well-known/oauth-authorization-server/a",
        ),
    ],
)
def test_metadata_stands_where_the_rfc_says(issuer: str, url: str) -> None:
    """RFC 8414 section 3.1: the well-known part goes between host and path."""
    check_issuer(issuer)
    assert metadata_url(issuer) == url


@pytest.mark.parametrize(
    "issuer",
    ["", "issuer", "ftp://i.example", "https://", "https://i/?q", "https://u@i/", "https://i/#f"],
)
def test_what_is_no_issuer_is_refused(issuer: str) -> None:
    """RFC 8414 section 2, plus plain http for private networks."""
    with pytest.raises(ValueError, match="issuer"):
        check_issuer(issuer)


def test_the_key_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    """It is world-readable, since its keys are public, and leaves nothing else behind."""
    path = tmp_path / "keys.json"
    write_key_file(path, issuer=ISSUER, fetched_at=NOW, jwks=JWKS)
    write_key_file(path, issuer=ISSUER, fetched_at=NOW + 1, jwks=JWKS)
    assert read_key_file(path, issuer=ISSUER) == (NOW + 1, JWKS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_no_key_file_is_no_error(tmp_path: Path) -> None:
    """The first start has none."""
    assert read_key_file(tmp_path / "keys.json", issuer=ISSUER) is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        json.dumps({"issuer": ISSUER, "fetched_at": "x", "jwks": {}}),
        json.dumps({"issuer": "https://other.example", "fetched_at": NOW, "jwks": JWKS}),
        json.dumps({"issuer": ISSUER, "fetched_at": NOW, "jwks": []}),
    ],
)
def test_a_damaged_or_strange_key_file_is_not_used(tmp_path: Path, content: str) -> None:
    """Nor is one that belongs to another issuer."""
    path = tmp_path / "keys.json"
    path.write_text(content)
    with pytest.raises(KeyFileError):
        read_key_file(path, issuer=ISSUER)


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_key_file_that_others_may_write_is_not_used(tmp_path: Path, mode: int) -> None:
    """Whoever writes it could sign tokens for this guard."""
    path = tmp_path / "keys.json"
    write_key_file(path, issuer=ISSUER, fetched_at=NOW, jwks=JWKS)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match="others"):
        read_key_file(path, issuer=ISSUER)
