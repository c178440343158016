"""Puts the service together; the only module that knows all parts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import NoReturn

from fastapi import FastAPI

from messaging.consume import TROUBLE, Consumer
from messaging.level import is_level
from messaging.relay import Relay
from messaging.seat import seat
from messaging.topics import ensure_topics
from revocast import Guard, policies
from revocast_contracts.topics import TOKEN_LIFECYCLE
from revocation.api.entries import entry_routes
from revocation.api.kill_request import LARGEST_BODY
from revocation.api.kills import kill_routes
from revocation.api.parts import Parts
from revocation.consumers.lifecycle import GROUP, LifecycleHandler
from revocation.relay import make_relay
from revocation.settings import RevocationSettings
from revocation.usecases.tend_entries import tend
from revocation.usecases.wait_for_kill import Completions
from servicekit import health, problems
from servicekit.correlation import CorrelationMiddleware
from servicekit.limits import BodyLimit
from servicekit.postgres import Pool, create_pool
from servicekit.serve import Background

LONGEST_PAUSE = 2.0
"""Seconds before Kafka is tried again: revocations wait for it once it is back."""

TOPICS_CHECKED_SECONDS = 10.0
"""How long the start waits for a broker before it goes on without one, unready."""

TOPICS_CHECKED_EVERY = timedelta(minutes=10)
"""Somebody may shorten a retention while we run."""

QUIET = timedelta(seconds=10)
"""Every shard carries a watermark each second: so much silence is a dead connection."""

NOT_LEVEL = "the database has not been compared with the log, or is catching up"


def create_app(settings: RevocationSettings) -> FastAPI:
    """The service: HTTP, consumer, relay and upkeep, all inside the app's lifespan."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await _refuse_bad_topics(settings)
        pool = await create_pool(
            settings.database_url.get_secret_value(),
            size=settings.database_connections,
            application_name="revocation",
        )
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(pool.close)
            guard = await stack.enter_async_context(_guard(settings))
            await stack.enter_async_context(_wire(app, settings, pool, guard).running())
            yield

    app = FastAPI(title="Revocast revocation", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_middleware(BodyLimit, longest=LARGEST_BODY)
    app.add_middleware(CorrelationMiddleware)
    problems.install(app)
    return app


def _wire(app: FastAPI, settings: RevocationSettings, pool: Pool, guard: Guard) -> Background:
    relay = make_relay(pool, settings)
    completions = Completions()
    parts = Parts(
        pool=pool,
        guard=guard,
        issuer_url=settings.issuer_url,
        hash_key=settings.hash_key,
        poke=relay.poke,
        completions=completions,
        wait_seconds=settings.kill_wait_seconds,
        longest_wait_seconds=settings.longest_kill_wait_seconds,
    )
    app.include_router(entry_routes(parts))
    app.include_router(kill_routes(parts))
    handler = LifecycleHandler(
        ending=settings.detector_ends,
        hash_key=settings.hash_key,
        completed=completions.completed,
    )
    consumer = Consumer(
        pool,
        bootstrap=settings.kafka_bootstrap,
        security=settings.kafka_security(),
        group=GROUP,
        topics=(TOKEN_LIFECYCLE,),
        handle=handler,
        quiet=QUIET,
        seat=seat(settings.port),
        committed=relay.poke,
    )
    background = Background(longest_pause=LONGEST_PAUSE)
    background.add("consumer", consumer.run)
    background.add("relay", relay.run)
    background.add("topics", partial(_watch_topics, settings))
    background.add("upkeep", partial(tend, pool, poke=relay.poke))
    app.include_router(health.router(_health(pool, guard, consumer, relay, background)))
    return background


def _health(
    pool: Pool, guard: Guard, consumer: Consumer, relay: Relay, background: Background
) -> health.Health:
    async def database() -> None:
        await pool.execute("SELECT")

    async def know() -> str | None:
        return guard.trouble()

    async def log() -> str | None:
        async with pool.acquire() as connection:
            return None if await is_level(connection) else NOT_LEVEL

    checks = health.Health()
    checks.add("database", database)
    checks.add("consumer", consumer.check)
    checks.add("relay", relay.check)
    checks.add("log", log)
    checks.add("guard", know)
    for task in ("topics", "upkeep"):
        checks.add(task, partial(background.check, task))
    return checks


def _guard(settings: RevocationSettings) -> Guard:
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


async def _refuse_bad_topics(settings: RevocationSettings) -> None:
    """Make what is missing; a topic that forgets too early ends the start (TopicRefusedError)."""
    with contextlib.suppress(*TROUBLE):
        async with asyncio.timeout(TOPICS_CHECKED_SECONDS):
            await _ensure_topics(settings)


async def _ensure_topics(settings: RevocationSettings) -> None:
    await ensure_topics(
        settings.kafka_bootstrap,
        replication=settings.kafka_replication,
        security=settings.kafka_security(),
    )


async def _watch_topics(settings: RevocationSettings) -> NoReturn:
    while True:
        await _ensure_topics(settings)
        await asyncio.sleep(TOPICS_CHECKED_EVERY.total_seconds())
