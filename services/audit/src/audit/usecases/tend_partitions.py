"""Keep the log's partitions in order for as long as the service runs."""

import asyncio

import structlog

from audit.store import partitions
from servicekit.postgres import Pool, transaction

_log = structlog.get_logger()

EVERY_SECONDS = 3600
"""Months are made two ahead, so hundreds of failures in a row would still lose nothing."""


async def tend_partitions(pool: Pool) -> None:
    """Make and drop partitions every hour, for ever. A failure is the supervisor's to repeat."""
    while True:
        async with transaction(pool) as connection:
            for done in await partitions.tend(connection):
                _log.info("partition", done=done)
            misplaced = await partitions.misplaced(connection)
        if misplaced:
            _log.warning("records with a time outside every month", count=misplaced)
        await asyncio.sleep(EVERY_SECONDS)
