"""Apache Kafka's jars: fetched once, checked against the committed lock at every start."""

import fcntl
import hashlib
import os
import shutil
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from devstack.errors import DevstackError
from devstack.processes import explain

if TYPE_CHECKING:
    from jgo.maven import MavenContext

LOCK = Path(__file__).with_name("kafka-jars.lock")
DOWNLOADS_AT_ONCE = 6
BUNDLE = "REQUESTS_CA_BUNDLE"


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file(self) -> str:
        """Its file name."""
        return f"{self.artifact}-{self.version}.jar"


def locked() -> list[Jar]:
    """The jars of the lock, in its order."""
    lines = (line.split() for line in LOCK.read_text().splitlines() if not line.startswith("#"))
    named = ((*name.split(":"), sha256) for name, sha256 in lines)
    return [Jar(group, artifact, version, sha256) for group, artifact, version, sha256 in named]


def kafka_jars(
    directory: Path, *, progress: Callable[[int, int], None] = lambda done, total: None
) -> list[Path]:
    """The jars in `directory`, fetched if missing; `progress` is told (fetched, missing).

    Raises:
        DevstackError: no network, no space, or a jar that is not the locked one.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with (directory / "fetching").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)  # two test sessions take turns
            missing = [jar for jar in locked() if not _is_the_locked_one(directory, jar)]
            if missing:
                _fetch(missing, directory, progress)
    except OSError as error:
        raise DevstackError(explain(error, directory)) from error
    return [directory / jar.file for jar in locked()]


def _is_the_locked_one(directory: Path, jar: Jar) -> bool:
    file = directory / jar.file
    return file.exists() and hashlib.sha256(file.read_bytes()).hexdigest() == jar.sha256


def _fetch(jars: list[Jar], directory: Path, progress: Callable[[int, int], None]) -> None:
    from jgo.maven import MavenContext  # 0.3 s of imports that only a first start pays

    partial = directory / "partial"
    shutil.rmtree(partial, ignore_errors=True)
    context = MavenContext(repo_cache=partial)
    progress(0, len(jars))
    with _system_certificates(), ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        for done, _ in enumerate(pool.map(lambda jar: _fetch_one(context, jar, directory), jars)):
            progress(done + 1, len(jars))
    shutil.rmtree(partial, ignore_errors=True)


def _fetch_one(context: "MavenContext", jar: Jar, directory: Path) -> None:
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
    try:
        fetched = Path(artifact.resolve())
    except OSError as error:  # requests' errors are OSErrors; so is a full disk
        if error.errno == 28:
            raise
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise DevstackError(_no_trust(jar)) from error
        raise DevstackError(_no_network(jar)) from error
    except RuntimeError as error:  # jgo's word for "the repository did not have it"
        raise DevstackError(_no_network(jar)) from error
    found = hashlib.sha256(fetched.read_bytes()).hexdigest()
    if found != jar.sha256:
        raise DevstackError(
            f"{jar.file} is not the locked one (SHA-256 {found}): something on the way changed it"
        )
    fetched.replace(directory / jar.file)


@contextmanager
def _system_certificates() -> Iterator[None]:
    """Trust what the system trusts, as pip does: a company's proxy is known there only."""
    paths = ssl.get_default_verify_paths()
    store = next((path for path in (paths.cafile, paths.capath) if path), None)
    if store is None or BUNDLE in os.environ:
        yield
        return
    os.environ[BUNDLE] = store
    try:
        yield
    finally:
        del os.environ[BUNDLE]


def _no_trust(jar: Jar) -> str:
    return (
        f"cannot fetch {jar.file} (Apache Kafka): the certificate shown on the way is not trusted; "
        f"set {BUNDLE} to the file of your network's certificates and start again"
    )


def _no_network(jar: Jar) -> str:
    return (
        f"cannot fetch {jar.file} (Apache Kafka): connect to the network and start again, "
        "or set REVOCAST_KAFKA_BOOTSTRAP to a Kafka of your own"
    )
