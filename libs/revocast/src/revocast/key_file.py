"""The issuer's public keys on disk, so that a guard starts while the issuer is down."""

import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

from revocast.fetch import LARGEST_DOCUMENT


class KeyFileError(Exception):
    """The file cannot be used. `str()` says why."""


def write_key_file(path: Path, *, issuer: str, fetched_at: float, jwks: dict[str, Any]) -> None:
    """Replace the file in one step; whoever reads sees the old or the new one. Mode 0644.

    Raises:
        OSError: it cannot be written.
    """
    content = json.dumps({"issuer": issuer, "fetched_at": fetched_at, "jwks": jwks})
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_key_file(path: Path, *, issuer: str) -> tuple[float, dict[str, Any]] | None:
    """When the keys were fetched (seconds since 1970), and the JWK Set; None: there is no file.

    Raises:
        KeyFileError: others may write it, or it is damaged or another issuer's.
        OSError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            _check_owner(os.fstat(file.fileno()))
            content = file.read(2 * LARGEST_DOCUMENT)
    except FileNotFoundError:
        return None
    try:
        document = json.loads(content)
        fetched_at, jwks = float(document["fetched_at"]), document["jwks"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise KeyFileError("the key file is damaged") from None
    if document.get("issuer") != issuer or not isinstance(jwks, dict):
        raise KeyFileError("the key file is another issuer's")
    return fetched_at, jwks


def _check_owner(status: os.stat_result) -> None:
    """Whoever can write this file can forge tokens for this guard."""
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or status.st_uid not in (0, os.geteuid()):
        raise KeyFileError("others may write the key file")
