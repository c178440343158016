"""Whom PostgreSQL runs as, and where that user can reach: it refuses to run as root."""

import hashlib
import os
import pwd
import shutil
import stat
from pathlib import Path

from devstack.errors import DevstackError

ROOT_OWNED = Path("/var/lib/revocast")
"""Where root's servers keep what their user could not reach in the checkout (a home is closed)."""

CANDIDATES = ("postgres", "nobody")


def unprivileged() -> tuple[int, int]:
    """(uid, gid) to become, (-1, -1) when we are not root.

    Raises:
        DevstackError: root, and the system has no such user.
    """
    if os.geteuid() != 0:
        return (-1, -1)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return (entry.pw_uid, entry.pw_gid)
    raise DevstackError("PostgreSQL does not run as root: start as an ordinary user")


def own_directory(directory: Path, user: tuple[int, int]) -> Path:
    """A directory that exists, belongs to the user alone and can be reached by it.

    It is `directory` itself, or one below `ROOT_OWNED` if the user cannot get there.
    """
    uid, gid = user
    if uid < 0:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        return directory
    if not reaches(directory.parent):
        directory = outside(directory)
        ROOT_OWNED.mkdir(parents=True, exist_ok=True)
    directory.mkdir(parents=True, exist_ok=True)
    os.chown(directory, uid, gid)
    directory.chmod(0o700)
    return directory


def outside(directory: Path) -> Path:
    """What stands for a directory that the user cannot reach."""
    return ROOT_OWNED / hashlib.sha256(str(directory).encode()).hexdigest()[:16]


def reachable_copy(package: Path, place: Path, user: tuple[int, int]) -> Path:
    """A wheel's package directory itself, or a copy below `place` if the user cannot read it.

    The libraries that the wheel brought lie beside it, where its programs look for them.
    """
    if user[0] < 0 or reaches(package):
        return package
    stamp = hashlib.sha256(f"{package} {package.stat().st_mtime_ns}".encode()).hexdigest()[:16]
    copy = place / f"wheel-{stamp}"
    if not copy.exists():
        partial = place / f"partial-{os.getpid()}"
        for source in (package, package.with_name(f"{package.name}.libs")):
            if source.exists():
                shutil.copytree(source, partial / source.name, symlinks=True)
        for path in [partial, *partial.rglob("*")]:
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o444))
        partial.rename(copy)
    return copy / package.name


def reaches(path: Path) -> bool:
    """Whether any user may enter this directory and all above it."""
    path = path.absolute()
    return all(
        parent.stat().st_mode & stat.S_IXOTH for parent in [path, *path.parents] if parent.exists()
    )
