"""The keys that sign now and the keys that are published, as the database has them."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from issuer.signing import keys
from issuer.signing.keys import PublicKey, SigningKey
from issuer.signing.verification import key_id, verified
from issuer.store import signing_keys
from messaging import outbox
from revocast_contracts.activity import SigningKeyAdded, SigningKeyRetired
from revocast_contracts.envelope import Data, Draft
from revocast_contracts.lifetimes import LONGEST_ACCESS_TOKEN, SKEW
from revocast_contracts.topics import ISSUER_ACTIVITY
from servicekit.correlation import correlation_id
from servicekit.postgres import Connection, Pool, transaction

PUBLISHED_FIRST = timedelta(minutes=10)
"""A new key is published so long before it signs: twice what JWKS caches keep."""

KEPT_PUBLISHED = LONGEST_ACCESS_TOKEN + SKEW + timedelta(minutes=5)
"""A retired key stays published until every token it signed is dead, and a little longer."""

REFRESHED_EVERY = timedelta(seconds=20)
"""How soon each replica learns of a key that another one made."""

ASKED_AGAIN_AFTER = timedelta(seconds=1)
"""How soon an unknown `kid` may cause another look: strangers can make up as many as they like."""


@dataclass(slots=True)
class Keyring:
    """The signing keys of one process; `refresh` it now and then."""

    pool: Pool
    key_encryption_key: bytes
    _signing: dict[str, SigningKey] = field(default_factory=dict)
    _published: dict[str, PublicKey] = field(default_factory=dict)
    _read_at: float = float("-inf")

    async def signer(self, alg: str) -> SigningKey:
        """The key that signs with an algorithm now; makes the first one of an algorithm."""
        if alg not in self._signing:
            await self.ensure(alg)
        return self._signing[alg]

    @property
    def published(self) -> Mapping[str, PublicKey]:
        """Public keys by id: those that signed, that sign, and that will."""
        return self._published

    async def claims(
        self, token: str, *, issuer: str, expired_too: bool = False
    ) -> dict[str, Any] | None:
        """The claims of a token that one of our published keys signed; None for any other."""
        kid = key_id(token)
        if kid is None:
            return None
        if kid not in self._published and self._may_ask_again():
            await self.refresh()
        key = self._published.get(kid)
        if key is None:
            return None
        return verified(token, key, issuer=issuer, expired_too=expired_too)

    async def ensure(self, *algs: str, actor: str = "issuer") -> None:
        """Make the first key of each algorithm that has none; it signs at once.

        Raises:
            UnsealError: KEY_ENCRYPTION_KEY is not the one that the keys were sealed with.
        """
        async with transaction(self.pool) as connection:
            await signing_keys.hold_making(connection)
            rows = await signing_keys.find_published(connection, kept=KEPT_PUBLISHED)
            for alg in set(algs) - {row.alg for row in rows if row.usable}:
                await self._add(connection, alg, signs_after=timedelta(0), actor=actor)
        await self.refresh()

    async def rotate(self, alg: str, *, actor: str) -> str:
        """Make the next key of an algorithm; it takes over after `PUBLISHED_FIRST`. Its id."""
        async with transaction(self.pool) as connection:
            await signing_keys.hold_making(connection)
            kid = await self._add(connection, alg, signs_after=PUBLISHED_FIRST, actor=actor)
            for old in await signing_keys.retire_older(connection, alg=alg, newer=kid):
                await _tell(connection, old, SigningKeyRetired(kid=old, alg=alg, actor=actor))
        await self.refresh()
        return kid

    async def refresh(self) -> None:
        """Read the keys as they are now; a key that is already in memory is not opened again.

        Raises:
            UnsealError: KEY_ENCRYPTION_KEY is not the one that the keys were sealed with.
        """
        self._read_at = time.monotonic()
        async with self.pool.acquire() as connection:
            rows = await signing_keys.find_published(connection, kept=KEPT_PUBLISHED)
        known = {key.kid: key for key in self._signing.values()}
        signing: dict[str, SigningKey] = {}
        for row in rows:
            if row.usable and row.alg not in signing:
                signing[row.alg] = known.get(row.kid) or keys.unseal(
                    row.kid, row.alg, row.sealed_private, row.public_jwk, self.key_encryption_key
                )
        self._published = {
            row.kid: self._published.get(row.kid) or PublicKey.of(row.public_jwk) for row in rows
        }
        self._signing = signing

    async def keep_fresh(self) -> None:
        """Refresh for ever; runs beside the API."""
        while True:
            await asyncio.sleep(REFRESHED_EVERY.total_seconds())
            await self.refresh()

    def _may_ask_again(self) -> bool:
        return time.monotonic() - self._read_at > ASKED_AGAIN_AFTER.total_seconds()

    async def _add(
        self, connection: Connection, alg: str, *, signs_after: timedelta, actor: str
    ) -> str:
        key = await asyncio.to_thread(keys.generate, alg)
        signs_from = await signing_keys.add(
            connection,
            kid=key.kid,
            alg=alg,
            sealed_private=keys.seal(key, self.key_encryption_key),
            public_jwk=key.public_jwk,
            signs_after=signs_after,
        )
        added = SigningKeyAdded(kid=key.kid, alg=alg, signs_from=signs_from, actor=actor)
        await _tell(connection, key.kid, added)
        return key.kid


async def _tell(connection: Connection, kid: str, data: Data) -> None:
    moment = await connection.fetchval("SELECT clock_timestamp()")
    draft = Draft(key=kid, subject=kid, time=moment, correlation_id=correlation_id(), data=data)
    await outbox.append(connection, ISSUER_ACTIVITY, draft)
