"""The system's secrets: made once, in files that only their owner can read; never in a log."""

import base64
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from devstack.errors import DevstackError
from devstack.processes import explain

KEY_BYTES = 32


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _password() -> str:
    return secrets.token_urlsafe(24)


MAKERS: dict[str, Callable[[], str]] = {
    "key-encryption-key": _key,
    "refresh-mac-keys": lambda: f"k1:{_key()}",
    "cookie-key": _key,
    "personal-data-hash-key": _key,
    "postgres-password": _password,
    "issuer-database-password": _password,
    "revocation-database-password": _password,
    "audit-database-password": _password,
    "issuer-admin-database-password": _password,
    "audit-reader-database-password": _password,
}


class Secrets:
    """The files of one directory (0700), each 0600; they outlive restarts."""

    def __init__(self, directory: Path) -> None:
        """Make what is missing.

        Raises:
            DevstackError: the directory cannot be written.
        """
        self.directory = directory
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            directory.chmod(0o700)
            for name, make in MAKERS.items():
                if not self.path(name).exists():
                    self.write(name, make())
        except OSError as error:
            raise DevstackError(explain(error, directory)) from error

    def path(self, name: str) -> Path:
        """The file of a secret."""
        return self.directory / name

    def read(self, name: str) -> str:
        """A secret."""
        return self.path(name).read_text()

    def write(self, name: str, value: str) -> Path:
        """Keep a secret, whole or not at all; its file."""
        new = self.directory / f"{name}.new"
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(value)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path(name))
        return self.path(name)
