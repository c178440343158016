from collections.abc import AsyncIterator, Iterator

import pytest

from devstack.kafka import Kafka
from tests.integration.revocast.log import Log, create_topic, delete_topic
from tests.integration.revocast.support import IssuerServer, issuer_server


@pytest.fixture
async def issuer() -> AsyncIterator[IssuerServer]:
    async with issuer_server() as server:
        yield server


@pytest.fixture(scope="package")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A broker of its own: these tests stop it, and delete the topic that others rely on."""
    broker = Kafka(tmp_path_factory.mktemp("kafka"))
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@pytest.fixture
async def log(broker: Kafka) -> AsyncIterator[Log]:
    """An empty revocations topic."""
    await delete_topic(broker.bootstrap)
    await create_topic(broker.bootstrap)
    async with Log(broker.bootstrap) as log:
        yield log
