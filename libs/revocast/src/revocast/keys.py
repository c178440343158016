"""The issuer's keys: fetched in the background, kept on disk, and never fetched on demand often.

A token with an unknown `kid` can cause one fetch per `MISS_INTERVAL` at most, whoever sends how
many; all requests that wait for keys wait for the same fetch.
"""

import asyncio
import logging
import random
from datetime import timedelta
from pathlib import Path

from revocast.clock import Clock
from revocast.fetch import Issuer
from revocast.jwks import Key, parse_jwks
from revocast.key_file import KeyFileError, read_key_file, write_key_file
from revocast.stats import Stats
from revocast_contracts.lifetimes import SKEW

log = logging.getLogger("revocast")

REFRESH_INTERVAL = timedelta(minutes=5)
"""How often keys are fetched anyway: new keys are published well before they sign."""
MISS_INTERVAL = timedelta(seconds=10)
"""The least time between two fetches that unknown `kid`s may cause."""
RETRY_INTERVAL = timedelta(seconds=1)
"""The least time between two fetches while there are no keys at all."""
STALE_AFTER = timedelta(hours=1)
"""Keys that could not be confirmed for so long are not used any more. By then every token that
they signed has expired, and an entry that denies a stolen key is still on the log."""


class KeysUnavailableError(Exception):
    """There are no keys to decide with at the moment."""


class Keys:
    """The signing keys of one issuer. `path` is the file they are kept in, None for none."""

    def __init__(
        self,
        issuer: str,
        *,
        jwks_uri: str | None,
        path: Path | None,
        clock: Clock,
        stats: Stats,
    ) -> None:
        self._issuer = issuer
        self._source = Issuer(issuer, jwks_uri)
        self._path = path
        self._clock = clock
        self._stats = stats
        self._keys: dict[str, Key] = {}
        self._confirmed_at = 0.0
        self._tried_at = -float("inf")
        self._failing = False
        self._fetch: asyncio.Task[None] | None = None
        self._refreshing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take the keys from disk and begin to refresh them; returns while the issuer is down."""
        if self._refreshing is not None:
            raise RuntimeError("already started")
        await self._load()
        self._refreshing = asyncio.create_task(self._refresh_for_ever(), name="revocast-keys")

    async def stop(self) -> None:
        """End the refreshing and close the connections."""
        tasks = [task for task in (self._refreshing, self._fetch) if task is not None]
        self._refreshing = self._fetch = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._source.close()

    def trouble(self) -> str | None:
        """Why no token can be verified now; None if they can."""
        return None if self._usable() else "the issuer's keys could not be fetched"

    async def find(self, kid: str) -> Key | None:
        """The key of that id; None when the issuer has no such key.

        Raises:
            KeysUnavailableError: there are no keys, or this one is unknown and they could not
                be fetched again.
        """
        if kid not in self._keys or not self._usable():
            await self._fetch_if_due()
        if not self._usable():
            raise KeysUnavailableError("the issuer's keys could not be fetched")
        if kid not in self._keys and self._failing:
            raise KeysUnavailableError("unknown kid, and the issuer's keys cannot be refreshed")
        return self._keys.get(kid)

    def _usable(self) -> bool:
        age = self._clock.monotonic() - self._confirmed_at
        return bool(self._keys) and age < STALE_AFTER.total_seconds()

    async def _fetch_if_due(self) -> None:
        least = MISS_INTERVAL if self._usable() else RETRY_INTERVAL
        due = self._clock.monotonic() - self._tried_at >= least.total_seconds()
        if due or self._fetch is not None:
            await self._fetch_once()

    async def _fetch_once(self) -> None:
        """Fetch, or wait for the fetch that is under way."""
        if self._fetch is None:
            self._fetch = asyncio.create_task(self._fetch_now(), name="revocast-key-fetch")
        await asyncio.wait([self._fetch])

    async def _fetch_now(self) -> None:
        self._tried_at = self._clock.monotonic()
        self._stats.key_fetches += 1
        try:
            jwks = await self._source.jwks()
            self._keys = parse_jwks(jwks)
        except Exception as error:  # noqa: BLE001 - whatever an issuer answers, guards go on
            self._failing = True
            self._stats.key_fetch_failures += 1
            log.warning("fetching the issuer's keys failed: %s: %s", type(error).__name__, error)
        else:
            self._failing = False
            self._confirmed_at = self._clock.monotonic()
            await self._keep(jwks)
        finally:
            self._fetch = None

    async def _refresh_for_ever(self) -> None:
        retry = RETRY_INTERVAL
        while True:
            await self._fetch_once()
            pause = retry if self._failing else REFRESH_INTERVAL
            retry = min(retry * 2, REFRESH_INTERVAL) if self._failing else RETRY_INTERVAL
            jitter = random.uniform(0.8, 1.0)  # noqa: S311 - nobody gains from guessing it
            await asyncio.sleep(pause.total_seconds() * jitter)

    async def _load(self) -> None:
        if self._path is None:
            return
        try:
            found = await asyncio.to_thread(read_key_file, self._path, issuer=self._issuer)
            if found is not None:
                fetched_at, jwks = found
                age = self._clock.wall() - fetched_at
                if -SKEW.total_seconds() <= age < STALE_AFTER.total_seconds():
                    self._keys = parse_jwks(jwks)
                    self._confirmed_at = self._clock.monotonic() - max(age, 0.0)
        except (KeyFileError, OSError, ValueError) as error:
            self._stats.key_file_failures += 1
            log.warning("the key file is not used: %s", error)

    async def _keep(self, jwks: dict[str, object]) -> None:
        if self._path is None:
            return
        try:
            await asyncio.to_thread(
                write_key_file,
                self._path,
                issuer=self._issuer,
                fetched_at=self._clock.wall(),
                jwks=jwks,
            )
        except OSError as error:
            self._stats.key_file_failures += 1
            log.warning("the key file could not be written: %s", error)
