"""The whole system on one machine: started in order, watched, and ended with all it started."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from devstack.addresses import Ports
from devstack.claims import Claim
from devstack.errors import DevstackError
from devstack.keys import Secrets
from devstack.memory import memory_mb
from devstack.ports import require_free
from devstack.processes import Command
from devstack.progress import Progress
from devstack.servers import Database, Log
from devstack.services import Service, run_to_end
from devstack.settings import WITH_DATABASE, settings_of
from devstack.supervision import Part, Supervisor, stop_all

DIRECTORY = Path(".revocast")
NEEDED_MB = 300
"""Of disk, for a first start: jars, PostgreSQL's data, the first segments of Kafka."""

MODULES = {
    "issuer": "issuer",
    "revocation": "revocation",
    "audit": "audit",
    "sample_api": "examples.sample_api",
}


class Stack:
    """PostgreSQL, Kafka, the three services and the sample API, with their state in `directory`.

    `REVOCAST_DATABASE_URL` and `REVOCAST_KAFKA_BOOTSTRAP` in `environment` replace the embedded
    servers. The current directory is the checkout. `start` and `stop`, or a context manager.
    """

    def __init__(
        self,
        directory: Path = DIRECTORY,
        *,
        ports: Ports | None = None,
        environment: Mapping[str, str] = os.environ,
        progress: Progress | None = None,
    ) -> None:
        self.directory = directory.absolute()
        self.ports = ports or Ports.of(environment)
        self.urls = self.ports.urls()
        self.ready_s = 0.0
        self.services: dict[str, Service] = {}
        self.database: Database | None = None
        self.log: Log | None = None
        self._environment = dict(environment)
        self._progress = progress or Progress()
        self._claim = Claim(self.directory)
        self._supervisor: Supervisor | None = None

    @property
    def kafka_bootstrap(self) -> str:
        """`host:port[,host:port]`; empty before the start."""
        return self.log.bootstrap if self.log is not None else ""

    def environment(self, service: str) -> dict[str, str]:
        """The environment that a started service has, for its admin use cases."""
        return dict(self.services[service].environment)

    def start(self) -> None:
        """Start everything, wait until all of it is ready, then watch it.

        Raises:
            DevstackError: one line that says what to do; nothing is left running.
        """
        began = time.monotonic()
        self._claim.take()
        try:
            with self._progress:
                secrets = self._prepare()
                self._start_servers(secrets)
                self._start_services(secrets)
        except BaseException:
            self.stop()
            raise
        self.ready_s = time.monotonic() - began
        self._supervisor = Supervisor(self.parts(), self._progress.say)
        self._supervisor.start()

    def leave_alone(self) -> None:
        """From here on nothing that ends is started again."""
        if self._supervisor is not None:
            self._supervisor.stop()
            self._supervisor = None

    def stop(self) -> None:
        """End all that was started: first who asks, then who answers."""
        self.leave_alone()
        parts = self.parts()
        stop_all([part for name, part in parts.items() if name in self.services])
        stop_all([part for name, part in parts.items() if name not in self.services])
        self._claim.release()

    def parts(self) -> dict[str, Part]:
        """All that we started, by name."""
        parts: dict[str, Part] = {}
        if self.database is not None and self.database.server is not None:
            parts["PostgreSQL"] = self.database.server
        if self.log is not None and self.log.server is not None:
            parts["Apache Kafka"] = self.log.server
        return {**parts, **self.services}

    def memory_mb(self) -> float | None:
        """Memory (PSS) of this process and all that it started in MB; None outside Linux."""
        return memory_mb()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _prepare(self) -> Secrets:
        """Find out early what would fail late."""
        free_mb = shutil.disk_usage(self.directory).free // 1_000_000
        if free_mb < NEEDED_MB:
            raise DevstackError(
                f"only {free_mb} MB are free on the disk of {self.directory}, {NEEDED_MB} are "
                "needed: free some and start again"
            )
        secrets = Secrets(self.directory / "secrets")
        (self.directory / "jwks").mkdir(exist_ok=True)
        for name in MODULES:
            if self._service(name, {}).end_leftover():
                self._progress.say(f"{name}: ended what a killed earlier run had left behind")
        for name, port in self.ports.items().items():
            other = f"set REVOCAST_{name.upper()}_PORT to another port"
            require_free(port, f"the {name}", choose=other)
        return secrets

    def _start_servers(self, secrets: Secrets) -> None:
        self.database = Database(self.directory, secrets, self._environment)
        self.log = Log(self.directory, self._environment)
        self.database.look()
        self.log.look()
        self._together(partial(self._start_database, secrets), self._start_log)

    def _start_database(self, secrets: Secrets) -> None:
        if self.database is not None:
            self.database.start(self._progress)
        with self._progress.step("tables"):
            self._together(*(partial(self._migrate, name, secrets) for name in WITH_DATABASE))

    def _start_log(self) -> None:
        if self.log is not None:
            self.log.start(self._progress)
        with self._progress.step("topics"):
            # One broker holds one copy; whoever names a cluster of their own may ask for more.
            copies = self._environment.get("REVOCAST_KAFKA_REPLICATION", "1")
            where = ["--bootstrap", self.kafka_bootstrap, "--replication", copies]
            self._run("messaging", ["topics", *where], {})

    def _migrate(self, name: str, secrets: Secrets) -> None:
        owner = secrets.path(f"{name}-migration-database-url")
        told = self._settings(name, secrets)
        self._run(
            name,
            ["migrate"],
            {**told, f"REVOCAST_{name.upper()}_MIGRATION_DATABASE_URL_FILE": str(owner)},
        )

    def _start_services(self, secrets: Secrets) -> None:
        for name in MODULES:
            told = self._settings(name, secrets)
            self.services[name] = self._service(name, told)
            self.services[name].start()
        self._together(*(partial(self._await, service) for service in self.services.values()))

    def _together(self, *works: Callable[[], None]) -> None:
        """Do all at the same time; the first failure, or Ctrl-C, ends the others too."""
        with ThreadPoolExecutor(len(works)) as threads:
            futures = [threads.submit(work) for work in works]
            try:
                for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                    future.result()
            except BaseException:
                self._progress.give_up()
                for part in self.parts().values():
                    part.kill()
                raise

    def _await(self, service: Service) -> None:
        with self._progress.step(service.name.replace("_", " ")):
            service.wait_until_ready()

    def _settings(self, name: str, secrets: Secrets) -> dict[str, str]:
        return settings_of(
            name,
            ports=self.ports,
            secrets=secrets,
            kafka_bootstrap=self.kafka_bootstrap,
            environment=self._environment,
        )

    def _service(self, name: str, told: Mapping[str, str]) -> Service:
        return Service(
            name=name,
            module=MODULES[name],
            url=self.urls[name],
            environment=told,
            directory=self.directory,
            checkout=Path.cwd(),
        )

    def _run(self, module: str, arguments: Sequence[str], told: Mapping[str, str]) -> None:
        """Run a command of ours to its end."""
        name = f"{module}-{arguments[0]}"
        command = Command(
            name=name,
            arguments=[sys.executable, "-m", module, *arguments],
            log=self.directory / "logs" / f"{name}.log",
            pid_file=self.directory / "pids" / name,
            environment=told or self._environment,
            directory=Path.cwd(),
        )
        run_to_end(command, what=f"{module} {arguments[0]}")
