"""One run: everything stands, the load and the faults go on, all comes to rest, all is checked."""

import asyncio
import logging
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.fire import evidence, history
from tests.fire.bad_disk import BadDisk
from tests.fire.cast import Cast, cast
from tests.fire.checker import check
from tests.fire.evidence import Evidence
from tests.fire.faults import Faults, Recovery
from tests.fire.fleet import Fleet, standing
from tests.fire.foes import Endings, Machine
from tests.fire.history import History, Writer
from tests.fire.one_by_one import OneByOne
from tests.fire.outage import Outage
from tests.fire.people import Device
from tests.fire.resource_servers import BEHIND_SECONDS, STALENESS_SECONDS, ResourceServer
from tests.fire.rolling import Rolling
from tests.fire.violations import Violation
from tests.fire.wire import Known, Wire

REST_SECONDS = 120.0
DEVICES = 10
DISK_MB = 400
"""PostgreSQL's data, and what it writes in some minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long and how hard; every random choice comes from `seed`.

    `one_by_one`: each kill waits until all has been ready for a while; `only` these, by their
    names' beginnings. `outage`: nothing but so many seconds without Kafka. `brokers`: Kafka's
    nodes, 1 or 3. `rolling`: nothing but the loss of its leaders and a restart of each in turn.
    `bad_disk`: nothing but a disk of PostgreSQL's that is full, slow and stuck.
    """

    seed: int
    minutes: float
    kills: int
    directory: Path
    every: float = 1.5
    one_by_one: bool = False
    only: tuple[str, ...] = ()
    outage: float | None = None
    brokers: int = 1
    rolling: bool = False
    bad_disk: bool = False
    say: Callable[[str], None] = print


@dataclass(slots=True)
class Outcome:
    """What happened, and what was broken."""

    seconds: float = 0.0
    lines: int = 0
    killed: Counter[str] = field(default_factory=Counter)
    paused: Counter[str] = field(default_factory=Counter)
    cuts: int = 0
    recoveries: list[Recovery] = field(default_factory=list)
    unready: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    history: History = field(default_factory=History)
    evidence: Evidence = field(default_factory=Evidence)
    violations: list[Violation] = field(default_factory=list)


def run(plan: Plan) -> Outcome:
    """Do all of it; nothing is left running, whatever happens."""
    plan.directory.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(filename=plan.directory / "harness.log", level=logging.WARNING)
    with standing(plan.say, brokers=plan.brokers, disk_mb=DISK_MB * plan.bad_disk) as fleet:
        logs = fleet.system.stack.directory / "logs"
        try:
            return asyncio.run(_Run(plan, fleet, cast(fleet.system)).all())
        finally:
            shutil.copytree(logs, plan.directory / "logs", dirs_exist_ok=True)


class _Run:
    def __init__(self, plan: Plan, fleet: Fleet, cast: Cast) -> None:
        self._plan, self._fleet = plan, fleet
        self._over, self._quiet = asyncio.Event(), asyncio.Event()
        self._writer = Writer(plan.directory / "history.jsonl")
        self._known = Known()
        self._wire = Wire(self._writer, self._known, audience=cast.audience)
        self._issuers = fleet.urls("issuer")
        self._cast = cast
        self._devices = [self._device(number) for number in range(DEVICES)]
        self._machines = [
            Machine(app.client_id, app, self._device(100 + number))
            for number, app in enumerate(cast.machines)
        ]
        promised = zip(STALENESS_SECONDS, BEHIND_SECONDS, strict=True)
        self._servers = [self._server(n, *each) for n, each in enumerate(promised)]
        self._observers = [self._server(10 + n, STALENESS_SECONDS[0]) for n in range(2)]
        self._endings = self._foes()
        self._faults = self._draw_faults()

    async def all(self) -> Outcome:
        """Rage, rest, check."""
        began, outcome = time.monotonic(), Outcome()
        # Sign-ins and kills wait in threads; none may wait for another's.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(DEVICES + 32))
        try:
            for server in [*self._servers, *self._observers]:
                server.state_bound()
            await self._rage()
            await self._rest(outcome)
        finally:
            await self._wire.close()
            self._writer.close()
        outcome.seconds = time.monotonic() - began
        outcome.lines = self._writer.lines
        faults = self._faults
        outcome.killed, outcome.paused = faults.killed, faults.paused
        outcome.cuts, outcome.recoveries = faults.cuts, faults.recoveries
        outcome.unready += faults.unready
        outcome.notes = faults.notes
        outcome.history = history.read(self._writer.path)
        kafka, postgres = self._fleet.system.kafka, self._fleet.system.postgres
        outcome.evidence = await evidence.gather(kafka.bootstrap, postgres)
        evidence.keep(outcome.evidence, self._plan.directory)
        outcome.violations = check(outcome.history, outcome.evidence)
        return outcome

    async def _rage(self) -> None:
        async with asyncio.TaskGroup() as group:
            for actor in self._devices:
                group.create_task(actor.live())
            for machine in self._machines:
                group.create_task(machine.live())
            group.create_task(self._endings.live())
            for server in self._servers:
                group.create_task(server.live())
            telling = group.create_task(self._tell())
            raging = group.create_task(self._faults.rage())
            await asyncio.wait([raging], timeout=60 * self._plan.minutes)
            self._faults.over.set()
            await asyncio.wait([raging], timeout=REST_SECONDS)
            await self._faults.mend()
            self._plan.say("no more faults; a last round of everybody")
            await self._until_all_ready()
            await asyncio.sleep(3 * max(each.pace for each in self._devices))
            self._quiet.set()
            telling.cancel()

    async def _until_all_ready(self) -> None:
        names = list(self._fleet.services)
        if not await self._fleet.until_ready(*names, seconds=REST_SECONDS):
            self._faults.unready.append("not everything became ready after the last fault")

    async def _rest(self, outcome: Outcome) -> None:
        """Until every event is recorded; then new guards are asked about everything."""
        postgres, deadline = self._fleet.system.postgres, time.monotonic() + REST_SECONDS
        while (left := await evidence.unrecorded(postgres)) and time.monotonic() < deadline:
            await asyncio.sleep(0.2)
        if left:
            outcome.unready.append(
                f"{len(left)} events are not recorded after {REST_SECONDS:.0f} s"
            )
        bound = max(STALENESS_SECONDS)
        for server in self._servers:
            if not await server.ask_all(seconds=bound + REST_SECONDS):
                outcome.unready.append(f"{server.name} did not become ready")

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(15)
            ready = sum(each.ready for each in self._servers)
            chains = sum(each.chain is not None for each in self._devices)
            self._plan.say(
                f"{self._faults.killed.total()} kills, {self._faults.paused.total()} pauses, "
                f"{self._writer.lines} lines; {chains} of {DEVICES} devices signed in, "
                f"{ready} of {len(self._servers)} guards ready"
            )

    def _dice(self, name: str) -> random.Random:
        return random.Random(f"{self._plan.seed}:{name}")  # noqa: S311 -- a run can be repeated

    def _device(self, number: int) -> Device:
        cast = self._cast
        return Device(
            name=f"device-{number}",
            person=cast.people[number % len(cast.people)],
            app=cast.apps[number % len(cast.apps)],
            cast=cast,
            issuers=self._issuers,
            wire=self._wire,
            dice=self._dice(f"device-{number}"),
            over=self._quiet,
        )

    def _server(self, number: int, staleness: float, behind: float = 0.0) -> ResourceServer:
        return ResourceServer(
            name=f"guard-{number}",
            staleness=staleness,
            issuer=self._cast.issuer,
            audience=self._cast.audience,
            kafka=self._fleet.system.kafka.bootstrap,
            jwks=self._plan.directory / f"jwks-{number}.json",
            writer=self._writer,
            known=self._known,
            dice=self._dice(f"guard-{number}"),
            over=self._quiet,
            behind=behind,
        )

    def _draw_faults(self) -> Faults:
        plan = self._plan
        kind: Callable[..., Faults] = Faults
        if plan.outage is not None:
            through, after = self._observers
            known = self._known
            kind = partial(Outage, lasts=plan.outage, known=known, through=through, after=after)
        elif plan.rolling:
            kind = Rolling
        elif (disk := self._fleet.system.disk) is not None:
            kind = partial(BadDisk, disk=disk)
        elif plan.one_by_one:
            kind = partial(OneByOne, only=plan.only)
        return kind(
            fleet=self._fleet,
            writer=self._writer,
            dice=self._dice("faults"),
            over=self._over,
            kills=plan.kills,
            every=plan.every,
            say=plan.say,
        )

    def _foes(self) -> Endings:
        operator = self._device(200)
        operator.name = "operator"
        operator.person, operator.app = self._cast.operator, self._cast.operators_app
        operator.scope = "revocations.read revocations.write"
        operator.resource = self._cast.revocation
        return Endings(
            devices=self._devices,
            machines=self._machines,
            operator=operator,
            cast=self._cast,
            revocations=self._fleet.urls("revocation"),
            wire=self._wire,
            dice=self._dice("endings"),
            every=2.0,
        )
