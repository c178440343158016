"""Random lives of families: the issuer's SQL, then the detector, held against the one model."""

import asyncio
from collections.abc import Coroutine
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeVar
from uuid import UUID, uuid4

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from issuer.domain.authorization import Origin
from issuer.domain.client import Client
from issuer.domain.refresh_token import PresentedToken, parse
from issuer.store import cuts
from issuer.store.families import Families
from issuer.store.rotations import Presentation, rotate
from issuer.usecases.revoke_token import revoke_refresh_token
from revocast_contracts.selectors import Selector, SelectorKind, subject_hash
from servicekit.postgres import Connection, transaction
from tests.support.family_delivery import Recorded, delivered, proven_by, recorded
from tests.support.family_model import FamilyModel
from tests.support.family_stream import ELSEWHERE, HOME
from tests.support.issuer import CLIENT, HASH_KEY, a_family, a_session

T = TypeVar("T")
GRACE_MS = 10_000
IDLE_MS = 3_600_000
ABSOLUTE_MS = IDLE_MS * 3 // 2
MOST_FAMILIES = 5
TIMES = ("started_at", "rotated_at", "denied_at", "idle_expires_at", "absolute_expires_at")
AGES_MS = (200, 1_500, GRACE_MS - 2_000, GRACE_MS + 1, 61_000, IDLE_MS - 5_000, IDLE_MS + 1)
"""How far the clock is put on: within grace, over its edge, over the minute, to the idle expiry."""

FAULTS = st.sampled_from([None, None, None, None, None, None, None, "client", "mac", "half"])
BACK = st.sampled_from([0, 0, 0, 0, 1, 1, 1, 1, 2, 3, -1])
"""Which token comes: the current one, its predecessor, an older one, one that is not made yet."""


@dataclass(slots=True)
class Live:
    """A family in the database and in the model."""

    id: UUID
    client: Client
    subject: UUID
    salt: bytes
    model: FamilyModel


@dataclass(frozen=True, slots=True)
class Presented:
    """One presentation as Hypothesis chose it; `back` counts generations from the current one."""

    which: int
    back: int
    fault: str | None
    elsewhere: bool
    waited_ms: int


PRESENTED = st.builds(
    Presented,
    which=st.integers(0, MOST_FAMILIES - 1),
    back=BACK,
    fault=FAULTS,
    elsewhere=st.sampled_from([False, False, False, True]),
    waited_ms=st.sampled_from([0, 0, 0, 2_500]),
)


class FamilyMachine(RuleBasedStateMachine):
    """Subclasses say where the databases are. Each example has clients and subjects of its own."""

    runner: asyncio.Runner
    families: Families
    revocation: Any

    def __init__(self) -> None:
        super().__init__()
        name = f"model-{uuid4().hex[:12]}"
        graces = {"": GRACE_MS, "-strict": 0}
        self.clients = [
            replace(CLIENT, client_id=name + suffix, grace=timedelta(milliseconds=grace))
            for suffix, grace in graces.items()
        ]
        self.subjects = [uuid4(), uuid4()]
        self.lives: list[Live] = []
        self.kills: list[str] = []
        self.answered: set[str] = set()
        self.shifted_ms = 0.0
        self.random = Random(0)  # noqa: S311 -- no secret

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Let something happen on the loop of all examples."""
        return self.runner.run(work)

    @initialize(seed=st.integers(0, 2**32 - 1))
    def begin(self, seed: int) -> None:
        """Two families to begin with; the seed orders the delivery at the end."""
        self.random.seed(seed)
        self.start(0, 0)
        self.start(1, 1)

    @precondition(lambda self: len(self.lives) < MOST_FAMILIES)
    @rule(client=st.integers(0, 1), subject=st.integers(0, 1))
    def start(self, client: int, subject: int) -> None:
        """One more authorization."""
        self.lives.append(self.run(self._start(self.clients[client], self.subjects[subject])))

    @rule(chosen=st.lists(PRESENTED, min_size=1, max_size=4, unique_by=lambda each: each.which))
    def present(self, chosen: list[Presented]) -> None:
        """Tokens of different families in one statement, each answered as the model says."""
        self.run(self._present([each for each in chosen if each.which < len(self.lives)]))

    @rule(each=PRESENTED)
    def come_again_at_once(self, each: Presented) -> None:
        """A rotation, and the same token once more: the way of retries and of thieves."""
        if each.which < len(self.lives):
            self.run(self._present([replace(each, back=0, fault=None, elsewhere=False)]))
            self.run(self._present([replace(each, back=1, fault=None, waited_ms=0)]))

    @rule(each=PRESENTED, times=st.integers(3, 5))
    def insist(self, each: Presented, times: int) -> None:
        """A client that never gets its answer: at first the same successor, then nothing."""
        if each.which < len(self.lives):
            self.run(self._present([replace(each, back=0, fault=None)]))
            for _ in range(times):
                self.run(self._present([replace(each, back=1, fault=None)]))

    @rule(ms=st.sampled_from(AGES_MS))
    def wait(self, ms: int) -> None:
        """Time passes: every time in the rows moves back."""
        self.run(self._wait(ms))

    @rule(each=PRESENTED)
    def revoke(self, each: Presented) -> None:
        """`/revoke`; with a fault nothing happens."""
        if each.which < len(self.lives) and self.random.random() < 0.3:
            self.run(self._revoke(each))

    @rule(kind=st.sampled_from([SelectorKind.SUBJECT, SelectorKind.CLIENT]), n=st.integers(0, 1))
    def cut(self, kind: SelectorKind, n: int) -> None:
        """A kill of a subject or a client. The second of the cut passes, so that nobody waits."""
        if self.random.random() < 0.3:
            self.run(self._cut(kind, n))
            self.run(self._wait(2_000))

    def teardown(self) -> None:
        """Rows and events are the model's; then the detector hears them as Kafka may deliver."""
        if self.lives:
            self.run(self._compare())

    async def _start(self, client: Client, subject: UUID) -> Live:
        minted = await a_family(self.families, client, a_session(subject))
        assert minted.family is not None
        row = await self.families.pool.fetchrow(
            "UPDATE family SET idle_expires_at = started_at + $2::interval,"
            " absolute_expires_at = started_at + $3::interval WHERE id = $1"
            " RETURNING started_at, rotated_at, salt",
            minted.family,
            timedelta(milliseconds=IDLE_MS),
            timedelta(milliseconds=ABSOLUTE_MS),
        )
        assert row is not None
        began = self._ms(row["started_at"])
        model = FamilyModel(
            grace_ms=int(client.grace.total_seconds() * 1000),
            idle_ms=IDLE_MS,
            started_at=began,
            idle_expires_at=began + IDLE_MS,
            absolute_expires_at=began + ABSOLUTE_MS,
            rotated_at=self._ms(row["rotated_at"]),
        )
        return Live(minted.family, client, subject, row["salt"], model)

    async def _present(self, chosen: list[Presented]) -> None:
        if not chosen:
            return
        async with self.families.pool.acquire() as connection:
            before = await self._now(connection)
            decided = await rotate(
                connection,
                [(self._presentation(each), each.waited_ms) for each in chosen],
                active_key=self.families.mac_keys.active,
            )
            after = await self._now(connection)
        for each in chosen:
            live = self.lives[each.which]
            rotation = decided[live.id]
            # The SQL read its clock between these two; the model is asked at each of them.
            moments = [before, after]
            if rotation.decided_at is not None:
                moments.insert(0, self._ms(rotation.decided_at))
            tried = [self._predict(live.model, each, at) for at in moments]
            said = str(rotation.outcome)
            self.answered.add(said)
            assert said in [word for word, _ in tried], (each, said, tried)
            live.model = next(model for word, model in tried if word == said)

    def _predict(self, model: FamilyModel, each: Presented, at: float) -> tuple[str, FamilyModel]:
        tried = deepcopy(model)
        word = tried.present(
            max(1, model.generation - each.back),
            at=at,
            network=_network(each),
            proven=each.fault is None,
            waited_ms=each.waited_ms,
        )
        return word, tried

    def _presentation(self, each: Presented) -> Presentation:
        live = self.lives[each.which]
        client_id = live.client.client_id
        token, half = self._token(live, each)
        return Presentation(
            token=token,
            half=half,
            client_id="somebody else" if each.fault == "client" else client_id,
            scope=None,
            resource=None,
            grace_ms=live.model.grace_ms,
            lifetime_s=600,
            idle_s=IDLE_MS // 1000,
            jti_hash=uuid4().hex,
            correlation_id="model",
            origin=Origin(network=_network(each)),
        )

    def _token(self, live: Live, each: Presented) -> tuple[PresentedToken, bytes]:
        keys = self.families.mac_keys
        generation = max(1, live.model.generation - each.back)
        token = parse(keys.mint(keys.active, live.id, generation, live.salt))
        assert token is not None
        if each.fault == "mac":
            token = replace(token, mac=token.mac[:-1] + bytes([token.mac[-1] ^ 1]))
        shifted = generation + (each.fault == "half")
        return token, keys.half(token.key_id, live.id, shifted)

    async def _revoke(self, each: Presented) -> None:
        live, keys = self.lives[each.which], self.families.mac_keys
        generation = max(1, live.model.generation - each.back)
        text = keys.mint(keys.active, live.id, generation, live.salt)
        if each.fault in {"mac", "half"}:
            text = text[:-2] + ("A" if text[-2] != "A" else "E") + text[-1]
        stranger = replace(live.client, client_id="somebody else")
        client = stranger if each.fault == "client" else live.client
        await revoke_refresh_token(
            self.families, client, text, origin=Origin(), correlation_id="model"
        )
        live.model.revoke(proven=each.fault is None)

    async def _cut(self, kind: SelectorKind, n: int) -> None:
        hashed = subject_hash(str(self.subjects[n]), HASH_KEY)
        value = hashed if kind is SelectorKind.SUBJECT else self.clients[n].client_id
        self.kills.append(str(uuid4()))
        async with transaction(self.families.pool) as connection:
            applied_at = await cuts.apply_kill(
                connection,
                kill_id=self.kills[-1],
                selector=Selector(kind=kind, value=value),
                correlation_id="model",
            )
        for live in self.lives:
            if (
                live.subject == self.subjects[n]
                if kind is SelectorKind.SUBJECT
                else (live.client is self.clients[n])
            ):
                live.model.cut(self._ms(applied_at))

    async def _wait(self, ms: float) -> None:
        passed = timedelta(milliseconds=ms)
        earlier = ", ".join(f"{name} = {name} - $2::interval" for name in TIMES)
        await self.families.pool.execute(
            f"UPDATE family SET {earlier} WHERE id = ANY ($1)",  # noqa: S608 -- names of columns
            [live.id for live in self.lives],
            passed,
        )
        await self.families.pool.execute(
            "UPDATE cut SET applied_at = applied_at - $2::interval WHERE kill_id = ANY ($1)",
            self.kills,
            passed,
        )
        self.shifted_ms += ms

    async def _compare(self) -> None:
        told: dict[str, list[Recorded]] = {}
        for live in self.lives:
            await self._compare_row(live)
            told[str(live.id)] = await recorded(self.families.pool, live.id)
            assert [(each.name, each.figures) for each in told[str(live.id)]] == [
                (each.name, each.figures) for each in live.model.told
            ]
        expected = {
            (event.event.id, rule)
            for live in self.lives
            for event, modelled in zip(told[str(live.id)], live.model.told, strict=True)
            for rule in modelled.proves
        }
        stream = delivered(told, self.random)
        assert await proven_by(self.revocation, stream, self.random) == expected

    async def _compare_row(self, live: Live) -> None:
        row = await self.families.pool.fetchrow(
            "SELECT generation, replays, cause, denied_count FROM family WHERE id = $1", live.id
        )
        assert row is not None
        kept = live.model
        assert tuple(row) == (kept.generation, kept.replays, kept.cause, kept.denied)

    def _ms(self, moment: datetime) -> float:
        return moment.timestamp() * 1000 + self.shifted_ms

    async def _now(self, connection: Connection) -> float:
        return self._ms(await connection.fetchval("SELECT clock_timestamp()"))


def _network(each: Presented) -> str:
    return ELSEWHERE if each.elsewhere else HOME
