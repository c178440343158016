"""Runs the `revocast` command in this process, with an environment and a directory of its own."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from cli.main import app


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """What it printed; it has to have ended well."""
        assert self.status == 0, self.stderr
        return json.loads(self.stdout)

    @property
    def why(self) -> str:
        """The one line with which it failed."""
        assert self.status == 1, self
        assert self.stdout == ""
        (line,) = self.stderr.splitlines()
        return line


@dataclass(frozen=True, slots=True)
class Command:
    """`revocast` in `directory`, with nothing of ours in its environment but `settings`."""

    directory: Path
    settings: Mapping[str, str]

    def __call__(self, *arguments: str, typed: str | None = None) -> Ended:
        """Run it; `typed` is what it finds on its standard input. What it does not catch rises."""
        with contextlib.chdir(self.directory), _environment(self.settings):
            ended = CliRunner().invoke(app, arguments, input=typed)
        if ended.exception is not None and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        return Ended(ended.exit_code, ended.stdout, ended.stderr)


@contextlib.contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Ours is put back as it was: the command sets its own."""
    before = dict(os.environ)
    try:
        for name in [name for name in os.environ if name.startswith("REVOCAST_")]:
            del os.environ[name]
        os.environ.update(settings)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
