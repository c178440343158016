"""Resource servers: SDK guards on the Kafka feed that are asked about tokens all the time."""

import asyncio
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from revocast import Guard
from revocast.clock import Clock
from revocast.errors import InvalidToken, RevokedToken, TokenRefused
from revocast_contracts.lifetimes import SKEW
from tests.fire.history import Decision, Fault, Writer, now
from tests.fire.wire import Known, Tokens

STALENESS_SECONDS = (14.0, 20.0, 30.0)
"""What the guards allow themselves, skew included: a ready guard whose clock is right must deny
`SKEW` earlier than it states."""

BEHIND_SECONDS = (0.0, 5.0, -5.0)
"""How far the clock of each is behind the database's: one is right, one slow, one fast. A slow one
takes what it knows for so much fresher than it is."""

ASKED_EVERY_SECONDS = 0.1


@dataclass(slots=True)
class ResourceServer:
    """One guard, thrown away and made anew now and then: a server that starts late."""

    name: str
    staleness: float
    issuer: str
    audience: str
    kafka: str
    jwks: Path
    writer: Writer
    known: Known
    dice: random.Random
    over: asyncio.Event
    behind: float = 0.0
    decisions: int = 0
    ready: bool = False
    _guard: Guard | None = None

    def state_bound(self) -> None:
        """Write down what it promises."""
        bound = self.staleness - SKEW.total_seconds() + max(0.0, self.behind)
        self.writer.bound(self.name, bound)

    async def live(self) -> None:
        """Until it is over, some minutes as one guard, then as the next."""
        while not self.over.is_set():
            lasts = now() + self.dice.uniform(20, 90)
            async with self.made() as guard:
                self._guard = guard
                while now() < lasts and not self.over.is_set():
                    self._note(ready=guard.ready)
                    await self.ask(guard, self._chosen())
                    await asyncio.sleep(ASKED_EVERY_SECONDS)
            self._note(ready=False)

    async def ask_all(self, seconds: float) -> bool:
        """A guard that starts now, asked about every token once it is ready; whether it was."""
        deadline = now() + seconds
        async with self.made() as guard:
            while not guard.ready:
                if now() > deadline:
                    return False
                await asyncio.sleep(ASKED_EVERY_SECONDS)
            await self.ask(guard, self.known.living.values())
        return True

    async def ask(self, guard: Guard, tokens: Iterable[Tokens]) -> list[str]:
        """Ask about tokens; what is said is history, and is returned."""
        verdicts = []
        for tokens_of_one in list(tokens):
            before, verdict, why = now(), "accepted", None
            try:
                await guard.check(tokens_of_one.access)
            except RevokedToken:
                verdict = "revoked"
            except InvalidToken as refused:
                verdict, why = "invalid", refused.detail
            except TokenRefused:
                verdict = "unavailable"
            self.decisions += 1
            verdicts.append(verdict)
            self.writer.write(
                Decision(
                    guard=self.name,
                    before=before,
                    after=now(),
                    jti_hash=tokens_of_one.got.jti_hash,
                    verdict=verdict,
                    why=why,
                )
            )
        return verdicts

    def made(self) -> Guard:
        """A guard of this server, not yet started."""
        return Guard(
            issuer=self.issuer,
            audience=self.audience,
            kafka=self.kafka,
            max_staleness=timedelta(seconds=self.staleness),
            jwks_path=self.jwks,
            clock=Clock(wall=lambda: time.time() - self.behind, monotonic=time.monotonic),
        )

    def _chosen(self) -> list[Tokens]:
        living = list(self.known.living.values())
        return self.dice.sample(living, min(2, len(living)))

    def _note(self, *, ready: bool) -> None:
        if ready != self.ready:
            self.ready = ready
            act = "ready" if ready else "unready"
            self.writer.write(Fault(act=act, target=self.name, at=now()))
