from collections.abc import AsyncIterator

import pytest

from issuer.store.families import Families
from servicekit.postgres import Pool, create_pool
from tests.support.issuer import families_on


@pytest.fixture
async def pool(issuer_database: str) -> AsyncIterator[Pool]:
    pool = await create_pool(issuer_database, size=8, application_name="test")
    try:
        yield pool
    finally:
        await pool.close()


@pytest.fixture
def families(pool: Pool) -> Families:
    return families_on(pool)
