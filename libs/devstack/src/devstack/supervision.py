"""Starts a dead part again, ever more patiently, until it is told to stop."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from devstack.errors import DevstackError

LOOK_EVERY_SECONDS = 0.25
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
SOUND_AFTER_SECONDS = 60.0
"""A part that ran so long starts over with the first pause."""


class Part(Protocol):
    """A process that may die."""

    @property
    def pid(self) -> int:
        """Its process id."""

    def alive(self) -> bool:
        """Whether it runs."""

    def start(self) -> None:
        """Start it."""

    def stop(self) -> None:
        """End it in order."""

    def kill(self) -> None:
        """End it at once."""


@dataclass(slots=True)
class _Record:
    pause: float = FIRST_PAUSE_SECONDS
    started: float = 0.0
    due: float | None = None


class Supervisor:
    """Watches parts on a thread of its own."""

    def __init__(self, parts: Mapping[str, Part], tell: Callable[[str], None]) -> None:
        self._parts = parts
        self._tell = tell
        self._records = {name: _Record(started=time.monotonic()) for name in parts}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer; nothing is started after this returns."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_EVERY_SECONDS):
            for name, part in self._parts.items():
                if not part.alive() and not self._stopping.is_set():
                    self._revive(name, part)

    def _revive(self, name: str, part: Part) -> None:
        record, now = self._records[name], time.monotonic()
        if record.due is None:
            if now - record.started > SOUND_AFTER_SECONDS:
                record.pause = FIRST_PAUSE_SECONDS
            record.due = now + record.pause
            self._tell(f"{name} ended; starting it again in {record.pause:.1f} s")
            record.pause = min(record.pause * 2, LONGEST_PAUSE_SECONDS)
        if now < record.due:
            return
        record.due, record.started = None, now
        try:
            part.start()
        except DevstackError as error:
            self._tell(f"{name}: {error}")


def stop_all(parts: Sequence[Part]) -> None:
    """End parts in order, all at the same time."""
    threads = [threading.Thread(target=part.stop) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
