import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from devstack.addresses import Ports
from devstack.errors import DevstackError
from devstack.memory import family, memory_mb
from devstack.stack import Stack
from tests.support.deadlines import until
from tests.support.kafka import Server as KafkaServer
from tests.support.postgres import Server as PostgresServer

PARENT = """
import sys
from pathlib import Path
from devstack.addresses import Ports
from devstack.lifetime import ends_in_order
from devstack.memory import family, memory_mb
from devstack.stack import Stack
with ends_in_order(), Stack(Path(sys.argv[1]), ports=Ports.free()) as stack:
    print(*[part.pid for part in stack.parts().values()], flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def stack(server_directory: Path) -> Iterator[Stack]:
    """A system that runs, embedded servers included."""
    with Stack(server_directory / "stack", ports=Ports.free()) as running:
        yield running


def test_every_part_is_ready(stack: Stack) -> None:
    """When the start returns, all four servers say that they are ready."""
    assert set(stack.urls) == {"issuer", "revocation", "audit", "sample_api"}
    for url in stack.urls.values():
        assert httpx.get(f"{url}/readyz").status_code == 200
    assert stack.ready_s > 0


def test_secrets_are_for_their_owner_only(stack: Stack) -> None:
    """No other user may read a secret or list their directory."""
    place = stack.directory / "secrets"
    assert place.stat().st_mode & 0o777 == 0o700
    modes = {file.stat().st_mode & 0o777 for file in place.iterdir()}
    assert modes == {0o600}


def resident_mb(pid: int) -> float:
    """What a process has in memory, shared or not."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Rss:")) / 1024


def test_memory_is_counted_once(stack: Stack) -> None:
    """PostgreSQL's many processes share pages, which are counted once and not in each."""
    server = stack.parts()["PostgreSQL"].pid
    used = memory_mb(server)
    assert used is not None
    assert 1 < used < sum(resident_mb(pid) for pid in family(server))
    everything = stack.memory_mb()
    assert everything is not None
    assert everything > used


@pytest.mark.parametrize("name", ["revocation", "PostgreSQL"])
async def test_a_part_that_dies_is_started_again(stack: Stack, name: str) -> None:
    """A killed service, or server, comes back by itself and everything is ready again."""
    part = stack.parts()[name]
    before = part.pid
    os.kill(before, signal.SIGKILL)
    await until(lambda: part.alive() and part.pid != before)
    await until(lambda: all(service.ready() for service in stack.services.values()), seconds=60)


def test_one_directory_has_one_system(stack: Stack) -> None:
    """A second start in the same directory names the process that runs there."""
    with pytest.raises(DevstackError, match="in use by process"):
        Stack(stack.directory, ports=Ports.free()).start()


def test_a_second_start_goes_on(directory: Path) -> None:
    """Secrets, databases and topics outlive a stop; the second start has nothing to make."""
    with Stack(directory, ports=Ports.free()) as first:
        keys = {f: f.read_text() for f in (directory / "secrets").glob("*-key*")}
        assert first.kafka_bootstrap
    with Stack(directory, ports=Ports.free()):
        pass
    assert {f: f.read_text() for f in (directory / "secrets").glob("*-key*")} == keys
    logs = directory / "logs"
    assert (logs / "messaging-topics.log").read_text().splitlines()[-1] == "topics: 0 made"
    assert "0 migrations applied" in (logs / "audit-migrate.log").read_text()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_everything_ends_with_its_parent(directory: Path, number: signal.Signals) -> None:
    """However the process that started the system ends, nothing of it goes on."""
    parent = started(directory)
    assert parent.stdout is not None
    said = iter(parent.stdout.readline, "")
    pids = next(line for line in said if line.strip().replace(" ", "").isdigit()).split()
    assert len(pids) == 6
    parent.send_signal(number)
    parent.wait()
    await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), seconds=40)
    parent.communicate()


def started(directory: Path) -> "subprocess.Popen[str]":
    """A process of its own that runs a system and then waits on its standard input."""
    return subprocess.Popen(
        [sys.executable, "-c", PARENT, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def test_a_port_in_use_is_one_clear_line(directory: Path) -> None:
    """A taken port is told before anything starts, with the variable that chooses another."""
    ports = Ports.free()
    clear = pytest.raises(DevstackError, match=r"port \d+ is in use.*REVOCAST_AUDIT_PORT")
    with socket.create_server(("127.0.0.1", ports.audit)), clear:
        Stack(directory, ports=ports).start()
    assert not (directory / "postgres").exists()


def test_given_servers_replace_the_embedded_ones(
    directory: Path, postgres: PostgresServer, kafka: KafkaServer
) -> None:
    """With both addresses in the environment the system runs on them and starts no server."""
    environment = {
        "REVOCAST_DATABASE_URL": postgres.dsn,
        "REVOCAST_KAFKA_BOOTSTRAP": kafka.bootstrap,
    }
    try:
        with Stack(directory, ports=Ports.free(), environment=environment) as stack:
            assert set(stack.parts()) == set(stack.urls)
            assert stack.kafka_bootstrap == kafka.bootstrap
    finally:
        for name in ("issuer", "revocation", "audit"):
            postgres.execute(f"DROP DATABASE IF EXISTS revocast_{name} WITH (FORCE)")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("REVOCAST_DATABASE_URL", "postgresql://a:b@127.0.0.1:9/postgres"),
        ("REVOCAST_KAFKA_BOOTSTRAP", "127.0.0.1:9"),
    ],
)
def test_a_given_server_that_is_not_there_is_one_clear_line(
    directory: Path, variable: str, value: str
) -> None:
    """An address where nothing answers is told with the name of its variable."""
    with pytest.raises(DevstackError, match=f"answers at 127.0.0.1:9 .{variable}.: start it"):
        Stack(directory, ports=Ports.free(), environment={variable: value}).start()
