from collections.abc import AsyncIterator

import pytest

from messaging import MIGRATIONS
from servicekit.migrations import migrate
from servicekit.postgres import Pool, create_pool
from tests.integration.messaging.support import HANDLED, make_topics_anew
from tests.support import kafka as kafka_parts
from tests.support import postgres as postgres_parts


@pytest.fixture
async def bootstrap(kafka: kafka_parts.Server) -> str:
    """The broker, with empty topics."""
    await make_topics_anew(kafka.bootstrap)
    return kafka.bootstrap


@pytest.fixture
async def said(database: str) -> str:
    """The DSN of a database with an outbox."""
    await migrate(database, MIGRATIONS)
    return database


@pytest.fixture
async def heard(postgres: postgres_parts.Server) -> AsyncIterator[str]:
    """The DSN of a database with positions and a table for what was handled."""
    with postgres.database() as dsn:
        await migrate(dsn, MIGRATIONS)
        pool = await create_pool(dsn, size=1, application_name="test")
        await pool.execute(HANDLED)
        await pool.close()
        yield dsn


@pytest.fixture
async def outbox_pool(said: str) -> AsyncIterator[Pool]:
    pool = await create_pool(said, size=12, application_name="test")
    yield pool
    await pool.close()


@pytest.fixture
async def heard_pool(heard: str) -> AsyncIterator[Pool]:
    pool = await create_pool(heard, size=6, application_name="test")
    yield pool
    await pool.close()
