import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
import pytest

from devstack.ports import free_port
from messaging.topics import ensure_topics
from revocast_contracts.topics import TOKEN_LIFECYCLE
from servicekit.postgres import create_pool
from tests.support.audit import Story
from tests.support.audit_log import until, write, writer
from tests.support.kafka import Server as Kafka
from tests.support.postgres import Server as Postgres


@pytest.fixture
def service_role(postgres: Postgres) -> Iterator[tuple[str, str]]:
    """Name and password of a login role that has the service's rights and no others."""
    name, password = f"test_{secrets.token_hex(4)}", secrets.token_urlsafe(12)
    postgres.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}' IN ROLE revocast_audit")
    yield name, password
    postgres.execute(f"DROP ROLE {name}")


def _environment(tmp_path: Path, dsn: str, kafka: Kafka, port: int) -> dict[str, str]:
    (tmp_path / "dsn").write_text(f"{dsn}\n")
    return {
        "PATH": os.environ["PATH"],
        "REVOCAST_AUDIT_URL": f"http://127.0.0.1:{port}",
        "REVOCAST_AUDIT_ISSUER_URL": "http://127.0.0.1:1",
        "REVOCAST_AUDIT_DATABASE_URL_FILE": str(tmp_path / "dsn"),
        "REVOCAST_AUDIT_KAFKA_BOOTSTRAP": kafka.bootstrap,
        "REVOCAST_AUDIT_PORT": str(port),
        "REVOCAST_AUDIT_RETENTION_DAYS": "90",
    }


def _migrate(environment: dict[str, str]) -> None:
    subprocess.run([sys.executable, "-m", "audit", "migrate"], env=environment, check=True)


@contextmanager
def _serving(environment: dict[str, str], output: Path) -> Iterator[subprocess.Popen[bytes]]:
    with output.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-m", "audit"], env=environment, stdout=out)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


async def test_it_migrates_as_owner_and_serves_with_its_own_rights(
    postgres: Postgres, kafka: Kafka, service_role: tuple[str, str], tmp_path: Path
) -> None:
    """`migrate` prepares an empty database and may be repeated; the service records with a role
    that may only append, tells no secret, and ends in order when asked to."""
    await ensure_topics(kafka.bootstrap, replication=1)
    with postgres.database() as owner:
        port = free_port()
        migrate = _environment(tmp_path, owner, kafka, port)
        for _ in range(2):
            _migrate(migrate)
        serve = _environment(tmp_path, _as(owner, *service_role), kafka, port)
        story = Story()
        pool = await create_pool(owner, size=1, application_name="test")
        assert await pool.fetchval("SELECT keep = interval '90 days' FROM retention")

        async def recorded() -> bool:
            found = await pool.fetchval(
                "SELECT count(*) FROM record WHERE family = $1", story.family
            )
            assert process.poll() is None
            return bool(found == 2)

        with _serving(serve, tmp_path / "log") as process:
            async with writer(kafka.bootstrap) as producer:
                await write(producer, TOKEN_LIFECYCLE, [story.started(), story.rotated(2)])
            await until(recorded)
            async with httpx.AsyncClient(base_url=serve["REVOCAST_AUDIT_URL"]) as client:
                ready = (await client.get("/readyz")).json()["checks"]
                assert {ready["database"], ready["ingest"], ready["partitions"]} == {"ok"}
                assert (await client.get("/records")).status_code == 401
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) in {0, -signal.SIGTERM}
        await pool.close()
    assert service_role[1] not in (tmp_path / "log").read_text()


def _as(dsn: str, name: str, password: str) -> str:
    parts = urlsplit(dsn)
    return urlunsplit(parts._replace(netloc=f"{name}:{password}@{parts.hostname}:{parts.port}"))


def test_a_missing_setting_is_told_in_one_line_each() -> None:
    """Without its settings it ends with status 78 and names each of them once."""
    done = subprocess.run(
        [sys.executable, "-m", "audit"],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 78
    for name in ("URL", "ISSUER_URL", "DATABASE_URL", "KAFKA_BOOTSTRAP"):
        assert f"REVOCAST_AUDIT_{name}: " in done.stderr
