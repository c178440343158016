from collections.abc import AsyncIterator

import pytest

from servicekit.postgres import Pool
from tests.support.privileges import as_role


@pytest.fixture
async def service(issuer_database: str) -> AsyncIterator[Pool]:
    """The issuer as its processes connect."""
    async with as_role(issuer_database, "revocast_issuer") as pool:
        yield pool


@pytest.fixture
async def admin(issuer_database: str) -> AsyncIterator[Pool]:
    """The issuer's database as the operators' command connects."""
    async with as_role(issuer_database, "revocast_issuer_admin") as pool:
        yield pool


@pytest.fixture
async def revocation(revocation_database: str) -> AsyncIterator[Pool]:
    """The revocation service as its processes connect."""
    async with as_role(revocation_database, "revocast_revocation") as pool:
        yield pool


@pytest.fixture
async def audit(audit_database: str) -> AsyncIterator[Pool]:
    """The audit service's consumer."""
    async with as_role(audit_database, "revocast_audit") as pool:
        yield pool


@pytest.fixture
async def reader(audit_database: str) -> AsyncIterator[Pool]:
    """The audit service's query API."""
    async with as_role(audit_database, "revocast_audit_reader") as pool:
        yield pool
