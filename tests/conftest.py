"""The servers of a session and a fresh database per test; REVOCAST_TEST_PARTS chooses them."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import kafka as kafka_parts
from tests.support import parts
from tests.support import postgres as postgres_parts

SERVERS = {"kafka", "postgres", "system"}
"""Fixtures by which a test touches a server."""


def pytest_report_header() -> str:
    return f"parts: {postgres_parts.which()}; {kafka_parts.which()}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On real parts only what touches a server runs; on embedded ones, what asks for no others."""
    real = parts.chosen() == parts.REAL
    kept: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        marked = item.get_closest_marker("real") is not None
        touches = marked or not SERVERS.isdisjoint(getattr(item, "fixturenames", ()))
        (kept if (touches if real else not marked) else left).append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Where skips are forbidden, as in the pipeline, one that happened fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter is not None else []
    if skipped and os.environ.get("REVOCAST_TEST_SKIPS") == "forbidden":
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def server_directory() -> Iterator[Path]:
    """A place for servers' data that every user may enter: as root, PostgreSQL runs as another."""
    directory = Path(tempfile.mkdtemp(prefix="revocast-test-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(server_directory: Path) -> Iterator[postgres_parts.Server]:
    """The session's PostgreSQL."""
    with postgres_parts.server(server_directory / "postgres") as server:
        yield server


@pytest.fixture(scope="session")
def kafka(server_directory: Path) -> Iterator[kafka_parts.Server]:
    """The session's Kafka; use topics of your own."""
    with kafka_parts.server(server_directory / "kafka") as server:
        yield server


@pytest.fixture
def database(postgres: postgres_parts.Server) -> Iterator[str]:
    """The DSN of a fresh, empty database."""
    with postgres.database() as dsn:
        yield dsn


@pytest.fixture
def issuer_database(postgres: postgres_parts.Server) -> Iterator[str]:
    """The DSN of a fresh database with the issuer's tables, level with a log that is empty."""
    with postgres.database(template=postgres.migrated("issuer")) as dsn:
        postgres_parts.execute(dsn, "SELECT note_level()")
        yield dsn


@pytest.fixture
def revocation_database(postgres: postgres_parts.Server) -> Iterator[str]:
    """The DSN of a fresh database with the revocation service's tables, level with an empty log."""
    with postgres.database(template=postgres.migrated("revocation")) as dsn:
        postgres_parts.execute(dsn, "SELECT note_level()")
        yield dsn


@pytest.fixture
def audit_database(postgres: postgres_parts.Server) -> Iterator[str]:
    """The DSN of a fresh database with the audit service's tables."""
    with postgres.database(template=postgres.migrated("audit")) as dsn:
        yield dsn
