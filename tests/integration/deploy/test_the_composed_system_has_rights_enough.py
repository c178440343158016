"""What compose would start, without containers: its secrets, its databases, its settings."""

import json
import os
import runpy
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from devstack.kafka import Kafka
from devstack.ports import free_port
from devstack.postgres import BINARIES, Postgres, wheel
from tests.support.deploy import CHECKOUT, SETTINGS, compose

COMPOSE: dict[str, Any] = compose()["services"]


@dataclass(frozen=True)
class Machine:
    """The servers, and the directory that stands for the volumes of secrets."""

    postgres: Postgres
    kafka: Kafka
    secrets: Path
    ports: Mapping[str, int]

    def environment(self, container: str) -> dict[str, str]:
        """A container's environment, with this machine's addresses instead of the network's."""
        service = container.partition("-")[0]
        prefix = f"REVOCAST_{service.upper()}_"
        here = {
            "/secrets/": f"{self.secrets}/",
            "/var/lib/revocast/": f"{self.secrets}/{service}-",
            "kafka:9092": self.kafka.bootstrap,
            "http://issuer:8400": self.url("issuer"),
            **{f"http://localhost:{8400 + n}": self.url(name) for n, name in enumerate(SETTINGS)},
        }
        given = json.dumps(COMPOSE[container]["environment"])
        for there, mine in here.items():
            given = given.replace(there, mine)
        own = {"PATH": os.environ["PATH"], f"{prefix}PORT": str(self.ports[service])}
        return json.loads(given) | own  # type: ignore[no-any-return]  # JSON of strings

    def url(self, service: str) -> str:
        """Where a service is on this machine."""
        return f"http://127.0.0.1:{self.ports[service]}"


@pytest.fixture(scope="module")
def machine(server_directory: Path) -> Iterator[Machine]:
    """Servers of their own: roles, databases and topics have the names of the real ones."""
    home = server_directory / "composed"
    home.mkdir(mode=0o755)
    postgres, kafka = Postgres(home / "postgres"), Kafka(home / "kafka")
    secrets = home / "secrets"
    secrets.mkdir()
    with ExitStack() as stack:
        for server in (postgres, kafka):
            server.start()
            stack.callback(server.stop)
        ports = {name: free_port() for name in SETTINGS}
        machine = Machine(postgres, kafka, secrets, ports)
        _make_secrets(machine)
        _make_databases(machine)
        for service in SETTINGS:
            migrate = machine.environment(f"{service}-migrate")
            subprocess.run([sys.executable, "-m", service, "migrate"], env=migrate, check=True)
        topics = [word.replace("kafka:9092", kafka.bootstrap) for word in _topics_command()]
        subprocess.run([sys.executable, *topics], check=True)
        yield machine


def _make_secrets(machine: Machine) -> None:
    """By the container's own script; the name of the database's host is this machine's."""
    script = str(CHECKOUT / "deploy/compose/make_secrets.py")
    (machine.secrets / "postgres").mkdir()
    runpy.run_path(script)["write"](machine.secrets)
    host = f"127.0.0.1:{machine.postgres.port}"
    for file in machine.secrets.glob("*/*database_url"):
        file.chmod(0o600)
        file.write_text(file.read_text().replace("postgres:5432", host))


def _make_databases(machine: Machine) -> None:
    script = (CHECKOUT / "deploy/compose/databases.sql").read_text()
    subprocess.run(
        [
            str(wheel() / BINARIES / "psql"),
            "--set=ON_ERROR_STOP=1",
            "--no-psqlrc",
            machine.postgres.dsn(),
        ],
        input=script.replace("/secrets/", f"{machine.secrets}/"),
        text=True,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _topics_command() -> list[str]:
    python, *words = COMPOSE["topics"]["entrypoint"]
    assert python == "python"
    return [str(word) for word in words]


def test_secrets_are_made_once(machine: Machine) -> None:
    """A second start changes no secret: data that they protect outlives the containers."""
    before = {file: file.read_text() for file in machine.secrets.glob("*/*")}
    runpy.run_path(str(CHECKOUT / "deploy/compose/make_secrets.py"))["write"](machine.secrets)
    assert before == {file: file.read_text() for file in machine.secrets.glob("*/*")}
    assert all(file.stat().st_mode & 0o077 == 0 for file in before if file.name != "made")


@pytest.mark.parametrize("service", SETTINGS)
async def test_a_service_may_use_its_tables_and_nothing_else(
    machine: Machine, service: str
) -> None:
    """With its own password it reaches its own database only, and can make or alter nothing."""
    dsn = (machine.secrets / service / "database_url").read_text()
    own = {"issuer": "family", "revocation": "entry", "audit": "record"}[service]
    connection = await asyncpg.connect(dsn)
    try:
        assert await connection.fetchval(f"SELECT count(*) FROM {own}") == 0  # noqa: S608 -- ours
        for statement in (
            "CREATE TABLE mine (a int)",
            "DROP TABLE consumer_position",
            "ALTER TABLE consumer_position ADD COLUMN a int",
            "CREATE SCHEMA mine",
            "DELETE FROM schema_migration",
            "CREATE ROLE mine",
            f"COPY {own} TO '/tmp/stolen'",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()
    for other in SETTINGS.keys() - {service}:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(dsn.rpartition("/")[0] + f"/revocast_{other}")


def test_the_three_services_become_ready_with_these_rights(
    machine: Machine, tmp_path: Path
) -> None:
    """Started as compose starts them, each with its own role, all three become ready."""
    with ExitStack() as stack:
        processes = {}
        for service in SETTINGS:
            log = stack.enter_context((tmp_path / service).open("wb"))
            process = subprocess.Popen(
                [sys.executable, "-m", service],
                env=machine.environment(service),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            processes[service] = process
        deadline = time.monotonic() + 90
        waiting = set(SETTINGS)
        while waiting:
            told = {service: _ready(machine.url(service)) for service in sorted(waiting)}
            waiting = {service for service, why in told.items() if why is not None}
            ended = [
                service for service, process in processes.items() if process.poll() is not None
            ]
            assert not ended, (tmp_path / ended[0]).read_text()[-3000:]
            assert time.monotonic() < deadline, told
            time.sleep(0.1)


def _ready(url: str) -> object:
    """None when it is ready, else why not."""
    try:
        answer = httpx.get(f"{url}/readyz", timeout=5)
    except httpx.HTTPError as error:
        return type(error).__name__
    return None if answer.status_code == 200 else answer.json()
