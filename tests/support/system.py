"""The whole system as processes of their own, on the servers of the session's tier."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from cli.demo import Demo
from cli.issuer_admin import issuer_admin
from cli.seed import Remembered, seed
from cli.story import Story
from devstack.addresses import Ports
from devstack.ports import LOOPBACK, free_port
from devstack.stack import Stack
from tests.support import kafka as kafka_parts
from tests.support import postgres as postgres_parts
from tests.support.deadlines import until_sync


@dataclass(frozen=True, slots=True)
class System:
    """A running system, its demo, and the servers it stands on."""

    stack: Stack
    demo: Demo
    postgres: postgres_parts.Server
    kafka: kafka_parts.Server

    def story(self, http: httpx.Client) -> Story:
        """The demo's story over a client of one's own, told to nobody."""
        return Story(self.demo, lambda step: None, http)

    @contextmanager
    def more_issuers(self, count: int) -> Iterator[list[str]]:
        """Further replicas of the issuer, on the same database; their base URLs."""
        with ExitStack() as replicas:
            yield [replicas.enter_context(self.another_issuer())[0] for _ in range(count)]

    @contextmanager
    def another_issuer(self) -> Iterator[tuple[str, int]]:
        """One further replica: its base URL and its process id."""
        port = free_port()
        environment = {**self.stack.environment("issuer"), "REVOCAST_ISSUER_PORT": str(port)}
        url = f"http://{LOOPBACK}:{port}"
        log = (self.stack.directory / "logs" / f"issuer-{port}.log").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-m", "issuer"], env=environment, stdout=log, stderr=log
        )
        try:
            until_sync(lambda: _is_ready(url), seconds=60)
            yield url, process.pid
        finally:
            process.terminate()
            process.wait(30)
            log.close()


@contextmanager
def running(directory: Path) -> Iterator[System]:
    """Start it all, seed the demo, stop it all."""
    with (
        postgres_parts.server(directory / "postgres") as postgres,
        kafka_parts.server(directory / "kafka") as kafka,
        standing_on(directory, postgres, kafka) as system,
    ):
        yield system


@contextmanager
def standing_on(
    directory: Path,
    postgres: postgres_parts.Server,
    kafka: kafka_parts.Server,
    settings: Mapping[str, str] | None = None,
) -> Iterator[System]:
    """The same on servers that run already; `settings` are further ones of the environment."""
    environment = {
        **os.environ,
        **(settings or {}),
        "REVOCAST_DATABASE_URL": postgres.dsn,
        "REVOCAST_KAFKA_BOOTSTRAP": kafka.bootstrap,
    }
    with Stack(directory / "stack", ports=Ports.free(), environment=environment) as stack:
        demo = postgres_parts.apart(_seed(stack))
        yield System(stack, demo, postgres, kafka)


async def _seed(stack: Stack) -> Demo:
    async with issuer_admin(stack.environment("issuer")) as admin:
        return await seed(
            admin.pool,
            admin.people,
            urls=stack.urls,
            kafka_bootstrap=stack.kafka_bootstrap,
            remembered=Remembered(stack.directory / "secrets" / "demo.json"),
        )


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
