"""Child processes that never outlive their parent, and leftovers of earlier runs that are ended."""

import atexit
import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from devstack.errors import DevstackError

TIE = Path(__file__).with_name("tie.py")
LOOK_EVERY_SECONDS = 0.02
TELLING = ("FATAL", "ERROR", "Error", "error")
CONSEQUENCE = "Application startup failed"
"""The web server's last word, after the line that says why."""

LONGEST_LOG_BYTES = 20_000_000
"""A longer log is put aside at the next start; one older is kept."""

KERNEL_TIES = sys.platform == "linux"

# Linux ties a child to the THREAD that forked it, so one that lives as long as we do forks all.
_forker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="devstack-forker")
atexit.register(_forker.shutdown)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run. `log` receives its output, `pid_file` lets the next run find a leftover.

    `user` (uid, gid) is whom to become first; `stop` ends it in order; `orphaned` is what it gets
    when we are killed ourselves.
    """

    name: str
    arguments: Sequence[str]
    log: Path
    pid_file: Path
    environment: Mapping[str, str] | None = None
    directory: Path | None = None
    user: tuple[int, int] = (-1, -1)
    stop: signal.Signals = signal.SIGTERM
    orphaned: signal.Signals = signal.SIGTERM


class Child:
    """A running command, tied to this process."""

    def __init__(self, command: Command, *, kernel_ties: bool = KERNEL_TIES) -> None:
        """Start it.

        Raises:
            DevstackError: the log or pid file cannot be written.
        """
        self.command = command
        self._lifeline: int | None = None
        try:
            self._process = _forker.submit(self._spawn, kernel_ties).result()
            _write_pid(command.pid_file, self._process.pid)
        except OSError as error:
            raise DevstackError(explain(error, command.log.parent)) from error

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def exit_status(self) -> int | None:
        """None while it runs, else its exit status (negative: the signal)."""
        return self._process.poll()

    def wait(self) -> int:
        """Wait until it ends; its exit status."""
        return self._process.wait()

    def stop(self, *, patience: float = 30.0) -> None:
        """Ask it to end, wait `patience` seconds, then kill it."""
        if self.exit_status() is None:
            # Not to the group: a server ends its own helpers in its own order.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, self.command.stop)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
        self.kill()

    def kill(self) -> None:
        """End it at once (SIGKILL) with its process group."""
        if self.exit_status() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        self.command.pid_file.unlink(missing_ok=True)

    def _spawn(self, kernel_ties: bool) -> "subprocess.Popen[bytes]":  # noqa: FBT001 -- internal
        watched = -1
        if not kernel_ties:
            watched, self._lifeline = os.pipe()
        uid, gid = self.command.user
        tie = [os.getpid(), int(self.command.orphaned), uid, gid, watched]
        arguments = [sys.executable, "-I", "-S", str(TIE), *map(str, tie), *self.command.arguments]
        for directory in (self.command.log.parent, self.command.pid_file.parent):
            directory.mkdir(parents=True, exist_ok=True)
        _keep_short(self.command.log)
        try:
            with self.command.log.open("ab") as log:
                return subprocess.Popen(
                    arguments,
                    env=None if self.command.environment is None else {**self.command.environment},
                    cwd=self.command.directory,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    pass_fds=() if watched < 0 else (watched,),
                    start_new_session=True,  # Ctrl-C is for us: children are ended in order
                )
        finally:
            if watched >= 0:
                os.close(watched)


def end_leftover(pid_file: Path, *, stop: signal.Signals, patience: float = 30.0) -> bool:
    """End the process that a killed earlier run left behind; whether there was one.

    A process counts as the leftover only if its start time is the recorded one too: the id alone
    may have gone to somebody else.
    """
    pid = leftover(pid_file)
    if pid is not None:
        _end(pid, _start_time(pid), stop, patience)
    pid_file.unlink(missing_ok=True)
    return pid is not None


def leftover(pid_file: Path) -> int | None:
    """The process id in a pid file, if that very process still runs."""
    try:
        pid, started = pid_file.read_text().split(maxsplit=1)
    except (OSError, ValueError):
        return None
    return int(pid) if _start_time(int(pid)) == started else None


def wait_until(ready: Callable[[], bool], *, child: Child, patience: float, what: str) -> None:
    """Poll `ready` until it is true.

    Raises:
        DevstackError: the child ended, or `patience` seconds passed; with its last words.
    """
    until = time.monotonic() + patience
    while not ready():
        if child.exit_status() is not None:
            raise DevstackError(f"{what} did not start: {last_words(child.command.log)}")
        if time.monotonic() > until:
            raise DevstackError(
                f"{what} is not ready after {patience:.0f} s; read {child.command.log}"
            )
        time.sleep(LOOK_EVERY_SECONDS)


def last_words(log: Path) -> str:
    """The line of a log that most likely says what went wrong, and where the rest is."""
    lines = [line.strip() for line in _tail(log).splitlines() if line.strip()]
    if any("no space left on device" in line.lower() for line in lines):
        return "no space left on the disk; free some and start again"
    telling = [line for line in lines if any(word in line for word in TELLING)]
    causes = [line for line in telling if CONSEQUENCE not in line]
    words = (causes or telling or lines or ["it said nothing"])[-1]
    return f"{_event(words)[:400]} (all of it: {log})"


def _event(line: str) -> str:
    """What a line of ours reports, without the rest of its JSON; of a traceback the last line."""
    try:
        event = json.loads(line)["event"]
    except (ValueError, KeyError, TypeError):
        return line
    return str(event).strip().rpartition("\n")[2]


def explain(error: OSError, where: Path) -> str:
    """One line for an error of the file system."""
    if error.errno == errno.ENOSPC:
        return f"no space left on the disk of {where}; free some and start again"
    return f"cannot write in {where}: {error.strerror or error}"


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 8192))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def _keep_short(log: Path) -> None:
    if log.exists() and log.stat().st_size > LONGEST_LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))


def _write_pid(pid_file: Path, pid: int) -> None:
    pid_file.write_text(f"{pid} {_start_time(pid)}")


def _start_time(pid: int) -> str | None:
    """Tells two processes of one id apart; None when there is no such process."""
    stat = Path(f"/proc/{pid}/stat")
    if KERNEL_TIES:
        try:
            state, *fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if state == "Z" else fields[18]
    ps = subprocess.run(
        ["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return ps.stdout.strip() or None


def _end(pid: int, started: str | None, stop: signal.Signals, patience: float) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, stop)
    until = time.monotonic() + patience
    while started is not None and _start_time(pid) == started:
        if time.monotonic() > until:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            until = time.monotonic() + patience
        time.sleep(LOOK_EVERY_SECONDS)
