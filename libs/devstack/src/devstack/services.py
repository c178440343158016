"""Our own processes: each with its settings, a log file, and a truth about being ready."""

import contextlib
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from devstack.errors import DevstackError
from devstack.processes import Child, Command, end_leftover, last_words, wait_until

PATIENCE_SECONDS = 90.0
DRAIN_SECONDS = 40.0
"""Longer than any service takes to finish the requests it has."""


@dataclass(kw_only=True)
class Service:
    """`python -m <module>`, started in `checkout`, reachable at `url`."""

    name: str
    module: str
    url: str
    environment: Mapping[str, str]
    directory: Path
    checkout: Path
    _child: Child | None = field(default=None, init=False)

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self.directory / "logs" / f"{self.name}.log"

    @property
    def pid(self) -> int:
        """Its process id."""
        if self._child is None:
            raise DevstackError(f"{self.name} does not run")
        return self._child.pid

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._child is not None and self._child.exit_status() is None

    def start(self) -> None:
        """Start the process; it is not ready yet."""
        if self.alive():
            return
        self.kill()
        self._child = Child(self._command())

    def stop(self) -> None:
        """Ask it to finish what it has, and wait."""
        if self._child is not None:
            self._child.stop(patience=DRAIN_SECONDS)
            self._child = None

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def end_leftover(self) -> bool:
        """End the process of a killed earlier run; whether there was one."""
        return end_leftover(self._pid_file, stop=signal.SIGTERM, patience=DRAIN_SECONDS)

    def wait_until_ready(self) -> None:
        """Wait until `/readyz` says yes.

        Raises:
            DevstackError: it ended, or it is not ready in time; with its reasons.
        """
        if self._child is None:
            raise DevstackError(f"{self.name} does not run")
        try:
            wait_until(
                self.ready, child=self._child, patience=PATIENCE_SECONDS, what=f"the {self.name}"
            )
        except DevstackError as error:
            raise DevstackError(f"{error}{self._reasons()}") from error

    def ready(self) -> bool:
        """Whether it says that it can serve."""
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200
        return False

    @property
    def _pid_file(self) -> Path:
        return self.directory / "pids" / self.name

    def _command(self) -> Command:
        return Command(
            name=self.name,
            arguments=[sys.executable, "-m", self.module],
            log=self.log,
            pid_file=self._pid_file,
            environment=self.environment,
            directory=self.checkout,
            # Its database and broker end at the same moment: there is nothing to drain to.
            orphaned=signal.SIGKILL,
        )

    def _reasons(self) -> str:
        with contextlib.suppress(httpx.HTTPError):
            return f" ({httpx.get(f'{self.url}/readyz', timeout=2).text[:300]})"
        return ""


def run_to_end(command: Command, *, what: str) -> None:
    """Run a command that ends by itself.

    Raises:
        DevstackError: its exit status was not 0; with its last words.
    """
    child = Child(command)
    try:
        status = child.wait()
    finally:
        child.kill()
    if status != 0:
        raise DevstackError(f"{what} failed: {last_words(command.log)}")
