import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import Command
from tests.support.system import System, running


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    """The whole system on servers of its own, once for all tests of this folder."""
    with tempfile.TemporaryDirectory(prefix="revocast-cli-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        with running(directory) as system:
            yield system


@pytest.fixture
def here(system: System, tmp_path: Path) -> Command:
    """The command where the demo runs: without a setting, as beside `make run`."""
    system.demo.write(system.stack.directory / "demo.json")
    (tmp_path / ".revocast").symlink_to(system.stack.directory)
    return Command(tmp_path, {})


@pytest.fixture
def elsewhere(system: System, tmp_path: Path) -> Command:
    """The command on a machine without the demo, with the issuer's own environment."""
    told = system.stack.environment("issuer")
    ours = {name: value for name, value in told.items() if name.startswith("REVOCAST_ISSUER_")}
    return Command(tmp_path, ours)


@pytest.fixture
def nowhere(tmp_path: Path) -> Command:
    """The command where nothing runs and nothing is set."""
    return Command(tmp_path, {})
