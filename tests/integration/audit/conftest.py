from collections.abc import AsyncIterator

import pytest

from servicekit.postgres import Pool, create_pool


@pytest.fixture
async def pool(audit_database: str) -> AsyncIterator[Pool]:
    pool = await create_pool(audit_database, size=8, application_name="test")
    try:
        yield pool
    finally:
        await pool.close()
