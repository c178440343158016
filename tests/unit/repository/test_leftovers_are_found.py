"""The search for secrets in a `.revocast` finds what is there, wherever it is."""

import zlib
from base64 import b64encode
from pathlib import Path

import pytest

from tests.support.leftovers import holding
from tests.support.overheard import kept, needles

SECRET = "a-code-verifier_0123456789.with-a-signature-that-is-long-enough-to-be-one"


@pytest.mark.parametrize(
    "held",
    [
        SECRET.encode(),
        b"\x00\xff" * 5000 + SECRET.encode() + bytes(9000),
        f'{{"Authorization":"Basic {b64encode(SECRET.encode()).decode()}"}}'.encode(),
        SECRET.encode().hex().encode(),
        SECRET.partition(".")[2].encode(),
    ],
    ids=["text", "between empty pages", "Base64", "hex", "a signature alone"],
)
def test_a_secret_is_found_in_any_file(tmp_path: Path, held: bytes) -> None:
    """In clear, encoded or in part, in a file of any depth, text or not."""
    segment = tmp_path / "kafka/data/a-topic-0/00000000000000000000.log"
    segment.parent.mkdir(parents=True)
    segment.write_bytes(held)
    (tmp_path / "audit.log").write_bytes(b"nothing")
    assert holding(needles({SECRET}), tmp_path) == {str(segment.relative_to(tmp_path))}


def test_only_two_places_are_exempt(tmp_path: Path) -> None:
    """`demo.json` and `secrets/` at the top; elsewhere such names are searched, as are names."""
    for name in ("demo.json", "secrets/a", "postgres/secrets/a", "logs/demo.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(SECRET)
    (tmp_path / f"{SECRET}.pid").write_text("1")
    found = {"postgres/secrets/a", "logs/demo.json", f"{SECRET}.pid"}
    assert holding(needles({SECRET}), tmp_path) == found


def test_what_is_compressed_is_not_found(tmp_path: Path) -> None:
    """The limit of a search in bytes, which is why topics and tables are read decoded as well."""
    (tmp_path / "a").write_bytes(zlib.compress(SECRET.encode() * 9))
    assert holding(needles({SECRET}), tmp_path) == set()


def test_a_key_is_searched_for_in_all_its_forms(tmp_path: Path) -> None:
    """A key that stands behind its id in a file is found without it, and as bytes."""
    key = bytes(range(32))
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/keys").write_text(f"k1:{b64encode(key).decode()}\n")
    (tmp_path / "in-clear").write_text(b64encode(key).decode())
    (tmp_path / "as-bytes").write_bytes(key)
    found = holding(needles(kept(tmp_path / "secrets")), tmp_path)
    assert found == {"in-clear", "as-bytes"}
