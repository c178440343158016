"""A directory has one owner at a time; the claim ends with the process, however it ends."""

import fcntl
import os
from pathlib import Path

from devstack.errors import DevstackError
from devstack.processes import explain

OWNER_BYTES = 20
"""The owner's process id, padded: each owner overwrites all of the one before."""


class Claim:
    """The right to run something in a directory."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "lock"
        self._file: int | None = None

    def take(self) -> None:
        """Claim the directory, making it if needed.

        Raises:
            DevstackError: another process has it, or it cannot be written.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            self._own(self._file)
        except OSError as error:
            self.release()
            raise DevstackError(explain(error, self._path.parent)) from error
        except DevstackError:
            self.release()
            raise

    def _own(self, file: int) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(file, OWNER_BYTES).decode().strip() or "unknown"
            raise DevstackError(
                f"{self._path.parent} is in use by process {owner}; end that one (Ctrl-C) first"
            ) from None
        os.write(file, str(os.getpid()).ljust(OWNER_BYTES).encode())

    def release(self) -> None:
        """Give it back; nothing happens if it was not taken."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
