"""Housekeeping: sign-ins, counts, codes, families and cuts that mean nothing any more."""

from typing import Protocol

from issuer.store import guesses, sessions, upkeep
from issuer.usecases.people import People
from servicekit.postgres import Connection, Pool, transaction

BATCH = 1000
"""Rows a statement deletes: short enough that nobody waits for it."""


class Deletion(Protocol):
    """Deletes up to `limit` rows; how many."""

    async def __call__(self, connection: Connection, *, limit: int) -> int: ...


DELETIONS: tuple[Deletion, ...] = (
    sessions.delete_expired,
    guesses.delete_forgotten,
    upkeep.delete_old_codes,
    upkeep.delete_dead_families,
    upkeep.delete_old_token_cuts,
    upkeep.delete_old_cuts,
)


async def forget_expired(people: People) -> int:
    """Delete in batches until nothing is left; how many rows. Safe on every replica at once."""
    return sum([await _delete_all(people.pool, deletion) for deletion in DELETIONS])


async def _delete_all(pool: Pool, deletion: Deletion) -> int:
    total = 0
    while True:
        async with transaction(pool) as connection:
            deleted = await deletion(connection, limit=BATCH)
        total += deleted
        if deleted < BATCH:
            return total
