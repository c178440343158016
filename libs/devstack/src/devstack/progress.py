"""What a person sees while the system starts: live on a terminal, plain lines elsewhere."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress as Bars
from rich.progress import SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from devstack.errors import DevstackError

SAY_EVERY_SECONDS = 3.0
"""How often a plain log hears of one step's details."""


class Step:
    """One thing that takes a while."""

    def __init__(
        self, name: str, console: Console, bars: Bars | None, given_up: threading.Event
    ) -> None:
        self._name = name
        self._console = console
        self._bars = bars
        self._given_up = given_up
        self._began = self._said = time.monotonic()
        self._task: TaskID | None = None
        if bars is not None:
            self._task = bars.add_task(name, total=None, detail="")
        else:
            console.print(f"{name}: starting", highlight=False, markup=False)

    def detail(self, text: str) -> None:
        """Say how far it is.

        Raises:
            DevstackError: nobody waits for it any longer.
        """
        if self._given_up.is_set():
            raise DevstackError("given up")
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, detail=text)
        elif time.monotonic() - self._said > SAY_EVERY_SECONDS:
            self._said = time.monotonic()
            self._console.print(f"{self._name}: {text}", highlight=False, markup=False)

    def end(self, outcome: str) -> None:
        """Say how it went."""
        if self._bars is not None and self._task is not None:
            self._bars.remove_task(self._task)
        seconds = time.monotonic() - self._began
        self._console.print(
            f"{self._name}: {outcome} ({seconds:.1f} s)", highlight=False, markup=False
        )


class Progress:
    """Steps, possibly several at once; a context manager while anything is to be shown."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console()
        self._bars: Bars | None = None
        self._given_up = threading.Event()

    def give_up(self) -> None:
        """Make running steps fail when they next say how far they are."""
        self._given_up.set()

    def __enter__(self) -> Self:
        self._given_up.clear()
        if self.console.is_terminal:
            self._bars = Bars(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                TimeElapsedColumn(),
                TextColumn("{task.fields[detail]}"),
                console=self.console,
                transient=True,
            )
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Show a step while the context lasts."""
        step = Step(name, self.console, self._bars, self._given_up)
        try:
            yield step
        except BaseException:
            step.end("failed")
            raise
        step.end("ready")

    def say(self, line: str) -> None:
        """One line, whatever else is shown."""
        self.console.print(line, highlight=False, markup=False)
