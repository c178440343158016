"""A consumer in a process of its own: arguments are the DSN, the broker, group, seat."""

import asyncio
import sys

from servicekit.postgres import create_pool
from tests.integration.messaging.support import a_consumer, running


async def main(dsn: str, bootstrap: str, group: str = "test", seat: str | None = None) -> None:
    pool = await create_pool(dsn, size=4, application_name="consumer process")
    async with running(a_consumer(pool, bootstrap, group=group, seat=seat).run):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
