"""One kill at a time: the next comes when all is ready and has stayed so; what each waited for."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from tests.fire.faults import PATIENCE_SECONDS, Faults, Recovery
from tests.fire.fleet import LOOK_EVERY_SECONDS
from tests.fire.history import now

CALM_SECONDS = 10.0
"""Longer than any bound after which a check notices that something is missing: whoever is ready
because nobody has noticed yet is not ready."""

_log = logging.getLogger("fire")


@dataclass(slots=True)
class OneByOne(Faults):
    """Kills everything of `only`, or of the whole fleet, in turns: `kills` in all."""

    only: Sequence[str] = ()

    async def rage(self) -> None:
        """Until the kills are done or it is over."""
        await self._calm(now())
        while self.killed.total() < self.kills and not self.over.is_set():
            names = [*self.fleet.services, *self.fleet.servers]
            names = [name for name in names if not self.only or name.startswith(tuple(self.only))]
            self.dice.shuffle(names)
            for name in names[: self.kills - self.killed.total()]:
                if not self.over.is_set():
                    await self._one_alone(name)

    async def _one_alone(self, name: str) -> None:
        # Where in an owner's or a member's period the kill falls is part of the draw.
        await asyncio.sleep(self.dice.uniform(0, 1))
        await self._kill(name)
        at = now()
        await self._start(name)
        seconds, waited_for = await self._calm(at)
        self._note(Recovery(name, seconds, alone=True, waited_for=waited_for))
        self.say(f"{name} killed alone: all ready after {seconds:.2f} s; last: {waited_for}")

    async def _calm(self, at: float) -> tuple[float, str]:
        """Seconds from `at` to the last moment at which anything was not ready, and what it said.

        A process that ends by itself is started again, as by any supervisor of processes.
        """
        last, why, began = now(), "the start of the process", time.monotonic()
        said: dict[str, str] = {}
        async with httpx.AsyncClient(timeout=2) as wire:
            while now() - last < CALM_SECONDS:
                found = await self.fleet.lacking(wire)
                if found:
                    last = now()
                    why = "; ".join(f"{name}: {each}" for name, each in sorted(found.items()))
                if found != said:
                    said = found
                    _log.warning("%6.2f s %s", now() - at, why if found else "all ready")
                if time.monotonic() - began > PATIENCE_SECONDS + CALM_SECONDS:
                    self.unready.append(f"not ready within {PATIENCE_SECONDS:.0f} s: {why}")
                    break
                await asyncio.sleep(LOOK_EVERY_SECONDS)
        return last - at, why
