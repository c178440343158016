"""Everything that can happen to families, at once and at random, and what was answered."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID, uuid4

from issuer.domain.authorization import Origin, Session
from issuer.domain.client import Client
from issuer.domain.outcomes import Minted, Refused, TryLater
from issuer.store import clients, consents, cuts, sessions
from issuer.store.families import Families
from issuer.usecases.clients import disable_client, enable_client
from issuer.usecases.end_session import end_session
from issuer.usecases.issue_for_client import issue_for_client
from issuer.usecases.people import People
from issuer.usecases.revoke_token import revoke_refresh_token
from issuer.usecases.withdraw_consent import withdraw_consent
from revocast_contracts.selectors import Selector, SelectorKind, subject_hash
from servicekit.postgres import Pool, transaction
from tests.support.guard_view import ISSUER
from tests.support.issuer import CLIENT, HASH_KEY, RESOURCE, a_code_in, present, redeem


@dataclass(slots=True)
class Storm:
    """Devices, thieves and operators on several replicas. `over` says when they are to stop."""

    replicas: list[Families]
    people: People
    dice: random.Random
    subjects: list[UUID] = field(default_factory=lambda: [uuid4() for _ in range(3)])
    clients: list[Client] = field(
        default_factory=lambda: [replace(CLIENT, client_id=name) for name in ("web", "app")]
    )
    over: asyncio.Event = field(default_factory=asyncio.Event)
    minted: list[Minted] = field(default_factory=list)
    later: list[TryLater] = field(default_factory=list)
    tokens: list[tuple[Client, str]] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    logged_out: list[tuple[UUID, datetime, datetime]] = field(default_factory=list)
    withdrawn: list[tuple[UUID, str, datetime, datetime]] = field(default_factory=list)
    kills: list[tuple[Selector, datetime]] = field(default_factory=list)
    off: list[tuple[str, datetime, datetime]] = field(default_factory=list)

    @property
    def pool(self) -> Pool:
        """Any replica's connections."""
        return self.dice.choice(self.replicas).pool

    async def prepare(self) -> None:
        """Register the clients, so that they can be switched off, and the people."""
        async with transaction(self.replicas[0].pool) as connection:
            for subject in self.subjects:
                await connection.execute(
                    "INSERT INTO account (subject, username, password_hash, name)"
                    " VALUES ($1, $2, '', '')",
                    subject,
                    str(subject),
                )
            for client in self.clients:
                await clients.add(connection, client)

    async def device(self) -> None:
        """Signs in, refreshes on any replica, sometimes in several tabs, and signs in again."""
        while not self.over.is_set():
            client = self.dice.choice(self.clients)
            code = await self._allowed(client, await self._signed_in())
            if not isinstance(code, str):
                await asyncio.sleep(0.01)
                continue
            if self.dice.random() < 0.5:
                await asyncio.sleep(self.dice.uniform(0, 0.1))
            first = await redeem(self.dice.choice(self.replicas), code, client)
            if self.dice.random() < 0.2:
                self._note(client, await redeem(self.dice.choice(self.replicas), code, client))
            token = self._note(client, first)
            while token is not None and not self.over.is_set():
                token = await self._tabs(client, token)

    async def _tabs(self, client: Client, token: str) -> str | None:
        """Refresh in one tab or several; the next token, None when the sign-in is over."""
        count = self.dice.choice((1, 1, 1, 2, 3))
        outcomes = await asyncio.gather(
            *(present(self.dice.choice(self.replicas), token, client) for _ in range(count))
        )
        nexts = {self._note(client, outcome) for outcome in outcomes} - {None}
        assert len(nexts) <= 1, "the chain forked"
        if not nexts and any(isinstance(outcome, TryLater) for outcome in outcomes):
            return token
        return next(iter(nexts), None)

    async def thief(self) -> None:
        """Presents tokens that were handed out before, of any generation."""
        while not self.over.is_set():
            await asyncio.sleep(self.dice.uniform(0, 0.05))
            if self.tokens:
                client, token = self.dice.choice(self.tokens)
                outcome = await present(self.dice.choice(self.replicas), token, client)
                self._note(client, outcome)

    async def machine(self) -> None:
        """A client that gets tokens for itself."""
        while not self.over.is_set():
            client = self.dice.choice(self.clients)
            outcome = await issue_for_client(
                self.dice.choice(self.replicas),
                client,
                scope=frozenset({"orders.read"}),
                resource=RESOURCE,
                origin=Origin(),
                correlation_id="storm",
            )
            self._note(client, outcome)

    async def endings(self, acts: int) -> None:
        """So many endings of every kind, and then it is over."""
        kinds: list[Callable[[], Awaitable[None]]] = [
            self._revoke,
            self._log_out,
            self._log_out,
            self._withdraw,
            self._kill,
            self._switch_off_and_on,
        ]
        for number in range(acts):
            await asyncio.sleep(self.dice.uniform(0, 0.1))
            await kinds[number % len(kinds)]()
        self.over.set()

    async def _now(self) -> datetime:
        now: datetime = await self.pool.fetchval("SELECT clock_timestamp()")
        return now

    async def _signed_in(self) -> Session:
        subject = self.dice.choice(self.subjects)
        key = subject_hash(str(subject), HASH_KEY)
        async with transaction(self.pool) as connection:
            started = await sessions.start(connection, subject, subject_hash=key, acr="password")
        self.sessions.append(started.session)
        return started.session

    async def _allowed(self, client: Client, session: Session) -> str | Refused:
        """A code, as the pages issue it: the sign-in and the consent are held."""
        async with transaction(self.pool) as connection:
            await consents.remember(
                connection, session.subject, client.client_id, RESOURCE, frozenset({"openid"})
            )
        async with transaction(self.pool) as connection:
            held = await connection.fetchval(
                "SELECT id FROM session WHERE id = $1 FOR UPDATE", session.session_id
            )
            allowed = await consents.remembered(
                connection, session.subject, client.client_id, RESOURCE
            )
            if held is None or not allowed:
                return Refused("signed out, or the consent was withdrawn")
            return await a_code_in(connection, client, session)

    def _note(self, client: Client, outcome: object) -> str | None:
        if isinstance(outcome, TryLater):
            self.later.append(outcome)
        if not isinstance(outcome, Minted):
            return None
        self.minted.append(outcome)
        if outcome.refresh_token is not None:
            self.tokens.append((client, outcome.refresh_token))
        return outcome.refresh_token

    async def _revoke(self) -> None:
        if self.tokens:
            client, token = self.dice.choice(self.tokens)
            families = self.dice.choice(self.replicas)
            await revoke_refresh_token(
                families, client, token, origin=Origin(), correlation_id="storm"
            )

    async def _log_out(self) -> None:
        if self.sessions:
            session = self.dice.choice(self.sessions[-4:])
            began = await self._now()
            await end_session(
                self.people,
                session.session_id,
                session.subject,
                origin=Origin(),
                correlation_id="storm",
            )
            self.logged_out.append((session.session_id, began, await self._now()))

    async def _withdraw(self) -> None:
        subject, client = self.dice.choice(self.subjects), self.dice.choice(self.clients)
        began = await self._now()
        await withdraw_consent(
            self.people, subject, client.client_id, origin=Origin(), correlation_id="storm"
        )
        self.withdrawn.append((subject, client.client_id, began, await self._now()))

    async def _kill(self) -> None:
        subject = subject_hash(str(self.dice.choice(self.subjects)), HASH_KEY)
        selectors = (
            Selector(kind=SelectorKind.SUBJECT, value=subject),
            Selector(kind=SelectorKind.CLIENT, value=self.clients[0].client_id),
            Selector(kind=SelectorKind.ISSUER, value=ISSUER),
        )
        selector = selectors[len(self.kills) % len(selectors)]
        async with transaction(self.pool) as connection:
            applied_at = await cuts.apply_kill(
                connection, kill_id=str(uuid4()), selector=selector, correlation_id="storm"
            )
        self.kills.append((selector, applied_at))

    async def _switch_off_and_on(self) -> None:
        client_id = self.clients[1].client_id
        assert await disable_client(self.pool, client_id, actor="test", correlation_id="storm")
        off = await self._now()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.over.wait(), self.dice.uniform(0, 0.1))
        on = await self._now()
        assert await enable_client(self.pool, client_id, actor="test", correlation_id="storm")
        self.off.append((client_id, off, on))
