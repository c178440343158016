"""Clients and APIs, remembered for a moment: what is disabled is refused by the database itself."""

import time
from dataclasses import dataclass, field
from datetime import timedelta

from issuer.domain.client import Client, Resource
from issuer.store import clients
from servicekit.postgres import Pool

REMEMBERED = timedelta(seconds=2)
"""How long a changed registration may go unnoticed. A disabled client is noticed at once: every
issuing statement reads its cut."""

MOST = 10_000
"""Clients in memory; past this all are forgotten and read again."""


@dataclass(slots=True)
class KnownClients:
    """Reads clients through a short memory; unknown ids are never remembered."""

    pool: Pool
    _clients: dict[str, tuple[float, Client]] = field(default_factory=dict)
    _resources: tuple[float, dict[str, Resource]] = (0.0, {})

    def remembered(self, client_id: str) -> Client | None:
        """The client of an id, if it was read a moment ago."""
        until, client = self._clients.get(client_id, (0.0, None))
        return client if until > time.monotonic() else None

    async def read(self, client_id: str) -> Client | None:
        """The client of an id as the database has it now."""
        async with self.pool.acquire() as connection:
            client = await clients.find(connection, client_id)
        if client is None:
            self._clients.pop(client_id, None)
            return None
        if len(self._clients) >= MOST:
            self._clients.clear()
        self._clients[client_id] = (time.monotonic() + REMEMBERED.total_seconds(), client)
        return client

    async def resource(self, uri: str, *, alg: str) -> Resource:
        """How tokens for an API are made; an API without a row gets RFC 9068 tokens with `alg`."""
        known = await self._known_resources()
        return known.get(uri) or Resource(uri=uri, profile="rfc9068", alg=alg, scopes=frozenset())

    async def scopes(self) -> frozenset[str]:
        """The scopes of all APIs."""
        known = await self._known_resources()
        return frozenset().union(*(resource.scopes for resource in known.values()))

    async def _known_resources(self) -> dict[str, Resource]:
        until, known = self._resources
        if until <= time.monotonic():
            async with self.pool.acquire() as connection:
                known = await clients.find_resources(connection)
            self._resources = (time.monotonic() + REMEMBERED.total_seconds(), known)
        return known
