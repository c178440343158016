import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import Server as PostgresServer
from tests.support.system import System, running


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    """The whole system, once for all tests of this folder."""
    with tempfile.TemporaryDirectory(prefix="revocast-e2e-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        with running(directory) as system:
            yield system


@pytest.fixture(autouse=True)
def _touches_servers(system: System) -> PostgresServer:
    return system.postgres
