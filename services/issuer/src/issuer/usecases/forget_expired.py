"""Housekeeping of what people leave behind: sign-ins that are over, counts that mean nothing."""

from issuer.store import guesses, sessions
from issuer.usecases.people import People
from servicekit.postgres import transaction

BATCH = 1000
"""Rows a statement deletes: short enough that nobody waits for it."""


async def forget_expired(people: People) -> int:
    """Delete in batches until nothing is left; how many rows. Safe on every replica at once."""
    total = 0
    while True:
        async with transaction(people.pool) as connection:
            deleted = await sessions.delete_expired(connection, limit=BATCH)
            deleted += await guesses.delete_forgotten(connection, limit=BATCH)
        total += deleted
        if deleted < BATCH:
            return total
