"""Programs that are not ours: found or asked for in one line, run to their end, started, ended."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from bench.peers.system import BENCH, RUN
from devstack.clean import clean
from devstack.errors import DevstackError
from devstack.postgres import Postgres
from devstack.processes import Child, Command, wait_until
from devstack.services import run_to_end

PATIENCE_SECONDS = 180.0


def program(name: str, install: str) -> str:
    """The path of a program.

    Raises:
        DevstackError: it is not there; says what to install.
    """
    found = shutil.which(name)
    if found is None:
        raise DevstackError(
            f"`{name}` is not on the PATH: install {install}, or leave out what needs it (--only)"
        )
    return found


def run(
    name: str, arguments: Sequence[str], *, directory: Path, environment: Mapping[str, str]
) -> None:
    """Run a program to its end.

    Raises:
        DevstackError: it failed; with its last words.
    """
    command = Command(
        name=name,
        arguments=arguments,
        log=(BENCH / "logs" / f"{name}.log").absolute(),
        pid_file=(BENCH / "pids" / name).absolute(),
        environment=environment,
        directory=directory.absolute(),
    )
    print(f"{name}: {' '.join(arguments[1:4])} ...", file=sys.stderr)
    run_to_end(command, what=name)


def first_line(arguments: Sequence[str]) -> str:
    """What a program says of its version."""
    told = subprocess.run(arguments, capture_output=True, text=True, check=True)
    return (told.stdout or told.stderr).splitlines()[0]


@contextmanager
def postgres() -> Iterator[Postgres]:
    """An empty PostgreSQL: the binaries and settings that ours has, fsync on."""
    clean(RUN.absolute())
    server = Postgres(RUN / "postgres", log=RUN / "logs" / "postgres.log")
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def serving(
    name: str, arguments: Sequence[str], *, environment: Mapping[str, str], ready: str
) -> Iterator[Child]:
    """A server; it serves when `ready` (a URL) answers 200.

    Raises:
        DevstackError: it did not start; with its last words.
    """
    child = Child(
        Command(
            name=name,
            arguments=arguments,
            log=(RUN / "logs" / f"{name}.log").absolute(),
            pid_file=(RUN / "pids" / name).absolute(),
            environment=environment,
        )
    )
    try:
        wait_until(lambda: _answers(ready), child=child, patience=PATIENCE_SECONDS, what=name)
        yield child
    finally:
        child.stop()


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(url, timeout=2).status_code == 200
    return False
