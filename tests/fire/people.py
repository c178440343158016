"""Honest clients: sign in, refresh, retry what was lost with the same token, sign in again."""

import asyncio
import contextlib
import random
from dataclasses import dataclass, field

import httpx

from cli.browser import Browser, UnexpectedPageError
from cli.demo import Person
from revocast import pkce
from tests.fire.cast import App, Cast
from tests.fire.history import Request, now
from tests.fire.wire import PATIENCE_SECONDS, Tokens, Wire

GRACE_SECONDS = 10.0
LAST_RETRY_SECONDS = GRACE_SECONDS - PATIENCE_SECONDS - 0.5
"""Seconds after the first presentation that may have been heard: later, grace may be over when the
retry arrives, and a client that is careful signs in again."""

CALM_GENERATIONS = 3
"""Between two double presentations: replays in three generations in a row look like a thief."""

FIELDS = {"username": "username", "password": "password"}


@dataclass(slots=True)
class Chain:
    """One client's tokens of one family. `spent` are refresh tokens it had before.

    `heard_at`: when the present token may have been heard first, without an answer.
    """

    app: App
    tokens: Tokens
    spent: list[Tokens] = field(default_factory=list)
    last_replay: int = 0
    heard_at: float | None = None

    @property
    def generation(self) -> int:
        """Of the refresh token it holds."""
        return self.tokens.got.generation or 0

    def follow(self, tokens: Tokens) -> None:
        """The successor arrived."""
        self.spent = [*self.spent, self.tokens][-6:]
        self.tokens = tokens
        self.heard_at = None

    def may_retry(self) -> bool:
        """Whether grace is surely not over."""
        return self.heard_at is None or now() - self.heard_at < LAST_RETRY_SECONDS


@dataclass(slots=True)
class Device:
    """One person at one client, for as long as `over` is not set."""

    name: str
    person: Person
    app: App
    cast: Cast
    issuers: list[str]
    wire: Wire
    dice: random.Random
    over: asyncio.Event
    pace: float = 0.5
    scope: str = "orders.read"
    resource: str = ""
    chain: Chain | None = None
    sign_ins: int = 0
    failed_sign_ins: int = 0

    async def live(self) -> None:
        """Until it is over."""
        with httpx.Client(timeout=PATIENCE_SECONDS + 2) as jar:
            while not self.over.is_set():
                if self.chain is None:
                    self.chain = await self.sign_in(jar)
                else:
                    await self.step()
                await self.pause(self.dice.uniform(0.4, 1.6) * self.pace)

    async def step(self) -> None:
        """Refresh once, in one tab or in several, until it is known what came of it."""
        chain = self.chain
        if chain is None:
            return
        calm = chain.generation - chain.last_replay > CALM_GENERATIONS
        if calm and self.dice.random() < 0.1:
            chain.last_replay = chain.generation
            await self._double(chain)
        else:
            await self._refresh(chain)

    async def _double(self, chain: Chain) -> None:
        """The same token at several replicas at once."""
        places = [self.dice.choice(self.issuers) for _ in range(self.dice.choice((2, 3, 4)))]
        answers = await asyncio.gather(*(self._present(chain, each, "double") for each in places))
        arrived = [tokens for _, tokens in answers if tokens is not None]
        if arrived:
            chain.follow(arrived[0])
        else:
            self._learn(chain, [request for request, _ in answers])

    async def _refresh(self, chain: Chain) -> None:
        while not self.over.is_set() and chain.may_retry():
            request, tokens = await self._present(chain, self.dice.choice(self.issuers), "refresh")
            if tokens is not None:
                chain.follow(tokens)
                return
            if self._learn(chain, [request]):
                return
            await self.pause(self.dice.uniform(0.05, 0.3))
        if not chain.may_retry():
            self.chain = None

    def _learn(self, chain: Chain, requests: list[Request]) -> bool:
        """Whether a refusal ended the chain."""
        if any(request.error == "invalid_grant" for request in requests):
            self.chain = None
            return True
        heard = [request.before for request in requests if request.reached]
        if heard:
            chain.heard_at = min([*heard, *([chain.heard_at] if chain.heard_at else [])])
            chain.last_replay = chain.generation
        return False

    async def _present(self, chain: Chain, where: str, act: str) -> tuple[Request, Tokens | None]:
        got = chain.tokens.got
        return await self.wire.token(
            act,
            self.name,
            where,
            chain.app,
            {"grant_type": "refresh_token", "refresh_token": chain.tokens.refresh or ""},
            subject=got.subject,
            family=got.family,
            generation=got.generation,
        )

    async def sign_in(self, jar: httpx.Client) -> Chain | None:
        """Authorization code with PKCE at one replica; None when it did not work this time."""
        where, verifier = self.dice.choice(self.issuers), pkce.verifier()
        try:
            code = await asyncio.to_thread(self._authorize, jar, where, verifier)
        except (httpx.HTTPError, UnexpectedPageError, KeyError):
            self.failed_sign_ins += 1
            return None
        self.sign_ins += 1
        grant = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.app.redirect_uri or "",
            "code_verifier": verifier,
        }
        _, tokens = await self.wire.token("redeem", self.name, where, self.app, grant)
        return None if tokens is None else Chain(self.app, tokens)

    def _authorize(self, jar: httpx.Client, where: str, verifier: str) -> str:
        parameters = {
            "response_type": "code",
            "client_id": self.app.client_id,
            "redirect_uri": self.app.redirect_uri or "",
            "scope": self.scope,
            "resource": self.resource or self.cast.audience,
            "state": "fire",
            "code_challenge": pkce.challenge(verifier),
            "code_challenge_method": "S256",
        }
        returned = Browser(jar).authorize(
            f"{where}/authorize",
            parameters,
            fields={
                FIELDS["username"]: self.person.username,
                FIELDS["password"]: self.person.password,
            },
            redirect_uri=self.app.redirect_uri or "",
        )
        return returned["code"]

    async def pause(self, seconds: float) -> None:
        """Wait, but not longer than the run lasts."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.over.wait()
