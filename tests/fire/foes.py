"""Machines, thieves, clients that give tokens back, and an operator who kills."""

import random
from dataclasses import dataclass, field

import httpx

from tests.fire.cast import App, Cast
from tests.fire.history import now
from tests.fire.people import Chain, Device
from tests.fire.wire import Tokens, Wire

TOKEN_LASTS_SECONDS = 400.0
"""The operator signs in again before a token of ten minutes is over."""


@dataclass(slots=True)
class Machine:
    """Client credentials, all the time."""

    name: str
    app: App
    device: Device
    last: Tokens | None = None

    async def live(self) -> None:
        """Until it is over."""
        grant = {"grant_type": "client_credentials", "scope": "orders.read"}
        of = self.device
        while not of.over.is_set():
            where = of.dice.choice(of.issuers)
            _, tokens = await of.wire.token("credentials", self.name, where, self.app, grant)
            self.last = tokens or self.last
            await of.pause(of.dice.uniform(0.5, 1.5) * of.pace)


@dataclass(slots=True)
class Endings:
    """Ends somebody's tokens every few seconds: theft, revocation, or an operator's kill."""

    devices: list[Device]
    machines: list[Machine]
    operator: Device
    cast: Cast
    revocations: list[str]
    wire: Wire
    dice: random.Random
    every: float
    kills: int = 0
    _signed_in_at: float = field(default=float("-inf"))

    async def live(self) -> None:
        """Until it is over."""
        acts = (self._steal, self._steal, self._revoke, self._revoke_access, self._kill, self._kill)
        with httpx.Client(timeout=5) as jar:
            while not self.operator.over.is_set():
                await self._keep_signed_in(jar)
                await self.dice.choice(acts)()
                await self.operator.pause(self.dice.uniform(0.5, 1.5) * self.every)

    async def _keep_signed_in(self, jar: httpx.Client) -> None:
        if self.operator.chain is None or now() - self._signed_in_at > TOKEN_LASTS_SECONDS:
            chain = await self.operator.sign_in(jar)
            if chain is not None:
                self.operator.chain, self._signed_in_at = chain, now()

    def _chain(self, generations: int) -> tuple[Device, Chain] | None:
        found = [
            (device, device.chain)
            for device in self.devices
            if device.chain is not None and device.chain.generation >= generations
        ]
        return self.dice.choice(found) if found else None

    async def _steal(self) -> None:
        """A thief presents a token that is two generations old or more, until he is answered."""
        found = self._chain(3)
        if found is None or len(found[1].spent) < 2:
            return
        device, chain = found
        old = self.dice.choice(chain.spent[:-1])
        for _ in range(4):
            request, _ = await self.wire.token(
                "theft",
                "thief",
                self.dice.choice(device.issuers),
                chain.app,
                {"grant_type": "refresh_token", "refresh_token": old.refresh or ""},
                subject=old.got.subject,
                family=old.got.family,
                generation=old.got.generation,
            )
            if request.status in {200, 400}:
                return

    async def _revoke(self) -> None:
        found = self._chain(1)
        if found is None:
            return
        device, chain = found
        await self.wire.revoke(
            device.name,
            self.dice.choice(device.issuers),
            chain.app,
            chain.tokens.refresh or "",
            family=chain.tokens.got.family,
        )

    async def _revoke_access(self) -> None:
        found = self._chain(1)
        if found is None:
            return
        device, chain = found
        self.wire.known.keep(chain.tokens)
        await self.wire.revoke(
            device.name,
            self.dice.choice(device.issuers),
            chain.app,
            chain.tokens.access,
            jti_hash=chain.tokens.got.jti_hash,
        )

    async def _kill(self) -> None:
        """A kill, repeated with its key until the issuer has applied it or patience is over."""
        bearer, found = self.operator.chain, self._chain(1)
        if bearer is None or found is None:
            return
        got = found[1].tokens.got
        apps = [machine.app for machine in self.machines]
        app = self.dice.choice([*apps, *apps, found[0].app])
        family = ("family", got.family or "")
        kind, value = self.dice.choice(
            [family, family, ("subject", got.subject), ("client", app.client_id)]
        )
        for machine in self.machines:
            if machine.app.client_id == value and machine.last is not None:
                self.wire.known.keep(machine.last)
        self.kills += 1
        key, token = f"fire-{self.kills}", bearer.tokens.access
        for _ in range(6):
            where = self.dice.choice(self.revocations)
            request = await self.wire.kill(
                "operator", where, token, kind, value, key, f"{kind}:{value}"
            )
            if request.status == 401:
                self.operator.chain = None
            if request.status in {200, 401, 422}:
                return
            await self.operator.pause(0.5)
