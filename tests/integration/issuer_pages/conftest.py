from collections.abc import AsyncIterator

import pytest

from servicekit.postgres import Pool, create_pool
from tests.support.issuer_pages import Issuer, Visitor, add_account, add_client, issuer_on


@pytest.fixture
async def pool(issuer_database: str) -> AsyncIterator[Pool]:
    pool = await create_pool(issuer_database, size=8, application_name="test")
    try:
        yield pool
    finally:
        await pool.close()


@pytest.fixture
async def issuer(pool: Pool) -> AsyncIterator[Issuer]:
    async with issuer_on(pool) as issuer:
        await add_client(issuer)
        await add_account(issuer)
        yield issuer


@pytest.fixture
async def alice(issuer: Issuer) -> AsyncIterator[Visitor]:
    async with issuer.visitor() as visitor:
        yield visitor
