from collections.abc import AsyncIterator

import pytest

from tests.integration.revocast.support import IssuerServer, issuer_server


@pytest.fixture
async def issuer() -> AsyncIterator[IssuerServer]:
    async with issuer_server() as server:
        yield server
