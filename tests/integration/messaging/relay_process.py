"""A relay in a process of its own: arguments are the DSN and the broker."""

import asyncio
import sys

from servicekit.postgres import create_pool
from tests.integration.messaging.support import a_relay, running


async def main(dsn: str, bootstrap: str) -> None:
    pool = await create_pool(dsn, size=4, application_name="relay process")
    async with running(a_relay(pool, bootstrap).run):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
