from collections.abc import Iterator

import pytest

from tests.integration.messaging.support import make_topics_anew
from tests.support import kafka as kafka_parts
from tests.support import postgres as postgres_parts
from tests.support.restores import Restorable, restorable


@pytest.fixture
async def bootstrap(kafka: kafka_parts.Server) -> str:
    """The broker, with empty topics."""
    await make_topics_anew(kafka.bootstrap)
    return kafka.bootstrap


@pytest.fixture
def restored(postgres: postgres_parts.Server, issuer_database: str) -> Iterator[Restorable]:
    """The issuer's database."""
    with restorable(postgres, issuer_database) as found:
        yield found
