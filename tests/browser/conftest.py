import shutil
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from playwright.async_api import Browser, async_playwright

from servicekit.postgres import create_pool
from tests.support.browser import World, listen, served, shop
from tests.support.issuer_pages import ASKING, add_account, add_client, issuer_on

CHROMIUM = shutil.which("chromium")
MISSING = "chromium is not on the PATH: as root, apt-get install --yes chromium"


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip(MISSING)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest.fixture
async def world(issuer_database: str, browser: Browser) -> AsyncIterator[World]:
    ours, url = listen()
    shops, shop_url = listen()
    homes, home_url = listen()
    pool = await create_pool(issuer_database, size=4, application_name="test")
    async with (
        issuer_on(pool, url=url) as issuer,
        served(issuer.app, ours),
        served(shop(home_url), shops),
        served(shop(home_url), homes),
    ):
        uris = (f"{shop_url}/callback", f"{shop_url}/onward", f"{home_url}/callback")
        await add_client(
            issuer,
            replace(
                ASKING,
                name="Corner Shop",
                redirect_uris=uris,
                post_logout_redirect_uris=(f"{shop_url}/callback",),
            ),
        )
        await add_account(issuer)
        yield World(issuer, url, shop_url, home_url, browser)
    await pool.close()
