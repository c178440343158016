"""The guard: a token is good if it verifies locally and no entry that is in force denies it.

When the guard cannot know the second, it says so and does what its policy says.
"""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from revocast.claims import Claims
from revocast.clock import SYSTEM_CLOCK, Clock
from revocast.errors import InsufficientScope, InvalidToken, RevokedToken, Unavailable
from revocast.feed import Feed
from revocast.fetch import check_issuer
from revocast.jwks import ALGORITHMS
from revocast.kafka_feed import KafkaFeed
from revocast.keys import Keys, KeysUnavailableError
from revocast.policies import Policy, closed
from revocast.stats import Stats
from revocast.tokens import Profile, Rules
from revocast_contracts.lifetimes import SKEW, WATERMARK_INTERVAL

MAX_STALENESS = timedelta(seconds=30)
"""The default bound, `SKEW` included: rides out a restart of the broker."""


class Guard:
    """Protects one resource server. `issuer` and `audience` are compared exactly with the token's.

    Entries come from `kafka` (bootstrap addresses) or from a `feed` of one's own. `kafka_security`
    are further arguments of aiokafka's clients, for TLS and SASL. `max_staleness` is how old
    knowledge of revocations may be before `policy` decides. `leeway` is what token times are
    forgiven. `jwks_path` keeps the issuer's public keys over restarts; its directory must be
    writable by this service only. `jwks_uri` is needed only where the issuer's metadata cannot be
    reached under its own name.

    Raises:
        ValueError: a setting under which a revocation could be missed unnoticed.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        kafka: str | None = None,
        kafka_security: Mapping[str, Any] | None = None,
        feed: Feed | None = None,
        policy: Policy = closed,
        max_staleness: timedelta = MAX_STALENESS,
        leeway: timedelta = SKEW,
        profile: Profile = "at+jwt",
        algorithms: Collection[str] = ALGORITHMS,
        jwks_path: Path | None = None,
        jwks_uri: str | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        check_issuer(issuer)
        _check_bounds(leeway, max_staleness)
        if not algorithms or not ALGORITHMS.issuperset(algorithms):
            raise ValueError(f"algorithms must be some of {', '.join(sorted(ALGORITHMS))}")
        self.stats = Stats()
        self.policy = policy
        self._clock = clock
        self._max_staleness = max_staleness
        self._rules = Rules(
            issuer=issuer,
            audience=audience,
            algorithms=frozenset(algorithms),
            profile=profile,
            leeway=leeway.total_seconds(),
        )
        self._keys = Keys(issuer, jwks_uri=jwks_uri, path=jwks_path, clock=clock, stats=self.stats)
        self._feed = self._follow(kafka, kafka_security, feed)

    def _follow(
        self, kafka: str | None, security: Mapping[str, Any] | None, feed: Feed | None
    ) -> Feed:
        if kafka is not None and feed is None:
            return KafkaFeed(kafka, security=security, clock=self._clock, stats=self.stats)
        if feed is not None and kafka is None and security is None:
            return feed
        raise ValueError("a guard needs either kafka or a feed: it could know no revocation")

    @property
    def realm(self) -> str:
        """What challenges name as the protection space: the audience."""
        return self._rules.audience

    @property
    def ready(self) -> bool:
        """Whether keys are at hand and every entry older than the bound is known."""
        return self.trouble() is None

    def trouble(self) -> str | None:
        """Why the guard is not ready, in words for an operator; None if it is."""
        return self._keys.trouble() or self._feed.trouble(self._max_staleness)

    def staleness(self) -> timedelta | None:
        """Whatever was committed longer ago is known here; None: some source was never heard."""
        return self._feed.staleness()

    async def start(self) -> None:
        """Begin to follow keys and revocations; returns at once, also while both are down."""
        await self._keys.start()
        await self._feed.start()

    async def stop(self) -> None:
        """End everything that `start` began."""
        await self._feed.stop()
        await self._keys.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    @asynccontextmanager
    async def lifespan(self, app: object) -> AsyncIterator[None]:
        """For `FastAPI(lifespan=guard.lifespan)` and `Starlette(lifespan=guard.lifespan)`."""
        async with self:
            yield

    async def check(self, token: str, *, scopes: Collection[str] = ()) -> Claims:
        """A bearer token -> its claims, if it may pass with all of `scopes`.

        Raises:
            InvalidToken: 401; `RevokedToken` where an entry denies it.
            InsufficientScope: 403.
            Unavailable: 503; the guard cannot know, and its policy is to refuse then.
        """
        claims = await self._verify(token)
        self._deny_revoked(claims)
        stale = self._deny_unknown(claims)
        if not claims.scopes.issuperset(scopes):
            self.stats.insufficient_scope += 1
            raise InsufficientScope("a required scope is missing", scopes=scopes)
        self.stats.accepted += 1
        self.stats.accepted_while_stale += stale
        return claims

    async def _verify(self, token: str) -> Claims:
        try:
            parsed = self._rules.parse(token)
            key = await self._keys.find(parsed.kid)
            if key is None:
                raise InvalidToken("signed by an unknown key")
            return self._rules.verify(parsed, key, self._clock.wall())
        except InvalidToken:
            self.stats.invalid += 1
            raise
        except KeysUnavailableError as error:
            self.stats.unavailable += 1
            raise Unavailable(str(error)) from error

    def _deny_revoked(self, claims: Claims) -> None:
        entry = self._feed.revocations.denies(claims)
        if entry is not None:
            self.stats.revoked += 1
            raise RevokedToken(f"denied by entry {entry.entry_id} ({entry.cause})")

    def _deny_unknown(self, claims: Claims) -> bool:
        """Apply the policy if it must decide, and say whether it let the token pass."""
        trouble = self._feed.trouble(self._max_staleness)
        if trouble is None:
            return False
        if not self.policy.accepts(self._clock.wall() - claims.iat):
            self.stats.unavailable += 1
            raise Unavailable(trouble)
        return True


def _check_bounds(leeway: timedelta, max_staleness: timedelta) -> None:
    if not timedelta(0) <= leeway <= SKEW:
        raise ValueError(f"leeway must be between 0 and {SKEW.total_seconds():.0f} s")
    if max_staleness < SKEW + 2 * WATERMARK_INTERVAL:
        raise ValueError(
            "max_staleness includes the clock skew of "
            f"{SKEW.total_seconds():.0f} s and must leave room for two watermarks"
        )
