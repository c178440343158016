"""Puts the audit service together: the only file that knows all its parts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

from fastapi import FastAPI

from audit.api.families import family_routes
from audit.api.parts import Parts
from audit.api.records import record_routes
from audit.consumers.events import GROUP, TOPICS, record_events
from audit.settings import AuditSettings
from audit.store import partitions
from audit.usecases.tend_partitions import tend_partitions
from messaging import MIGRATIONS as MESSAGING_MIGRATIONS
from messaging.consume import TROUBLE, Consumer
from messaging.seat import seat
from messaging.topics import ensure_topics
from revocast import Guard, policies
from servicekit.correlation import CorrelationMiddleware
from servicekit.health import Health, router
from servicekit.limits import BodyLimit
from servicekit.migrations import migrate as apply_migrations
from servicekit.postgres import Pool, create_pool
from servicekit.problems import install
from servicekit.serve import Background

MIGRATIONS = Path(__file__).parent / "migrations"

QUIET = timedelta(seconds=30)
"""The issuer's watermarks come each second: silence this long is a dead connection, not peace."""

GATHER = timedelta(milliseconds=100)
"""Nobody waits for a record, and one transaction for many costs a fraction of one for each."""

LONGEST_PAUSE = 2.0
"""Seconds before Kafka is tried again: records wait for it once it is back."""

TOPICS_CHECKED_SECONDS = 10.0
"""How long the start waits for a broker before it goes on without one, unready."""


async def migrate(settings: AuditSettings) -> list[str]:
    """Apply what the database lacks, and set the retention; the names of what was applied."""
    owner = settings.migration_database_url or settings.database_url
    applied = await apply_migrations(owner.get_secret_value(), MESSAGING_MIGRATIONS, MIGRATIONS)
    pool = await create_pool(owner.get_secret_value(), size=1, application_name="audit migrate")
    try:
        async with pool.acquire() as connection:
            await partitions.keep_for(connection, settings.retention)
    finally:
        await pool.close()
    return applied


def create_app(settings: AuditSettings) -> FastAPI:
    """The API with its consumer, one process."""
    health = Health()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await _refuse_bad_topics(settings)
        async with contextlib.AsyncExitStack() as stack:
            pool = await create_pool(
                settings.database_url.get_secret_value(),
                size=settings.database_connections,
                application_name="audit",
            )
            stack.push_async_callback(pool.close)
            readers = await create_pool(
                (settings.reader_database_url or settings.database_url).get_secret_value(),
                size=settings.reader_database_connections,
                application_name="audit reader",
                one_plan=False,
            )
            stack.push_async_callback(readers.close)
            guard = await stack.enter_async_context(_guard(settings))
            parts = Parts(pool=readers, guard=guard)
            app.include_router(record_routes(parts))
            app.include_router(family_routes(parts))
            background = _background(settings, pool, guard, health)
            health.add("queries", partial(_answers, readers))
            await stack.enter_async_context(background.running())
            yield

    app = FastAPI(title="Revocast audit", lifespan=lifespan, docs_url=None, redoc_url=None)
    install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(CorrelationMiddleware)
    app.include_router(router(health))
    return app


async def _refuse_bad_topics(settings: AuditSettings) -> None:
    """Make what is missing; a topic that forgets too early ends the start (TopicRefusedError)."""
    with contextlib.suppress(*TROUBLE):
        async with asyncio.timeout(TOPICS_CHECKED_SECONDS):
            await _ensure_topics(settings)


async def _ensure_topics(settings: AuditSettings) -> None:
    await ensure_topics(
        settings.kafka_bootstrap,
        replication=settings.kafka_replication,
        security=settings.kafka_security(),
    )


def _guard(settings: AuditSettings) -> Guard:
    return Guard(
        issuer=settings.issuer_url,
        audience=settings.url,
        kafka=settings.kafka_bootstrap,
        kafka_security=settings.kafka_security(),
        policy=policies.bounded(settings.stale_token_age),
        max_staleness=settings.max_staleness,
        jwks_path=settings.jwks_path,
        jwks_uri=settings.issuer_jwks_uri,
    )


async def _answers(pool: Pool) -> str | None:
    await pool.fetchval("SELECT 1")
    return None


def _background(settings: AuditSettings, pool: Pool, guard: Guard, health: Health) -> Background:
    consumer = Consumer(
        pool,
        bootstrap=settings.kafka_bootstrap,
        security=settings.kafka_security(),
        group=GROUP,
        topics=TOPICS,
        handle=record_events,
        quiet=QUIET,
        seat=seat(settings.port),
        gather=GATHER,
    )
    background = Background(longest_pause=LONGEST_PAUSE)
    background.add("ingest", consumer.run)
    background.add("partitions", partial(tend_partitions, pool))

    async def knows_revocations() -> str | None:
        return guard.trouble()

    health.add("database", partial(_answers, pool))
    health.add("ingest", consumer.check)
    health.add("partitions", partial(background.check, "partitions"))
    health.add("guard", knows_revocations)
    return background
