"""A small file system that can be filled to its last byte: a tmpfs, which only root may mount."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which

CHUNK = bytes(1024 * 1024)
SMALLEST = 512
"""Bytes tried at last: less than any page that somebody may still want to write."""


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """Mounted at `place`."""

    place: Path

    @property
    def _ballast(self) -> Path:
        return self.place / "ballast"

    def fill(self) -> None:
        """Take all space that is left."""
        with self._ballast.open("wb", buffering=0) as file:
            for chunk in (CHUNK, CHUNK[:4096], CHUNK[:SMALLEST]):
                while _written(file.fileno(), chunk):
                    pass

    def free(self) -> None:
        """Give it back."""
        self._ballast.unlink(missing_ok=True)

    def left(self) -> int:
        """Bytes that can still be written."""
        found = os.statvfs(self.place)
        return found.f_bavail * found.f_frsize


def may_be_mounted() -> bool:
    """Whether we are root on a Linux, as in the pipeline."""
    return os.geteuid() == 0 and Path("/proc/self/mounts").exists()


@contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mount one at `place`, which is made; whoever writes there has ended when this ends."""
    place.mkdir(parents=True, exist_ok=True)
    options = f"size={megabytes}m,mode=755"
    subprocess.run(
        [_program("mount"), "-t", "tmpfs", "-o", options, "none", str(place)], check=True
    )
    try:
        yield SmallDisk(place)
    finally:
        subprocess.run([_program("umount"), "--lazy", str(place)], check=True)


def _program(name: str) -> str:
    found = which(name)
    assert found is not None, f"there is no {name}"
    return found


def _written(file: int, chunk: bytes) -> int:
    try:
        return os.write(file, chunk)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return 0
