from collections.abc import AsyncIterator

import pytest

from issuer.usecases.create_account import create_account
from servicekit.postgres import Pool, create_pool
from tests.support.issuer_api import (
    API,
    MACHINE,
    OTHER,
    SPA,
    WEB,
    Api,
    add_clients,
    api_on,
    lend_keys,
)
from tests.support.issuer_pages import PASSWORD, USERNAME, Visitor


@pytest.fixture
async def pool(issuer_database: str) -> AsyncIterator[Pool]:
    pool = await create_pool(issuer_database, size=8, application_name="test")
    try:
        yield pool
    finally:
        await pool.close()


@pytest.fixture
async def api(pool: Pool) -> AsyncIterator[Api]:
    await lend_keys(pool)
    async with api_on(pool) as api:
        await add_clients(pool, WEB, OTHER, SPA, MACHINE, API)
        yield api


@pytest.fixture
async def alice(api: Api) -> AsyncIterator[Visitor]:
    """Somebody with an account, at a browser."""
    await create_account(
        api.people,
        username=USERNAME,
        password=PASSWORD,
        name="Alice Example",
        email="alice@shop.example",
        scopes=frozenset({"orders.read", "orders.write"}),
        actor="test",
        correlation_id="test",
    )
    async with api.visitor() as visitor:
        yield visitor
