"""Puts the issuer together; the only module that knows all parts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, NoReturn
from uuid import UUID

from fastapi import FastAPI
from starlette.types import Lifespan

from issuer import pages
from issuer.api import answers
from issuer.api.cors import OpenEndpoints
from issuer.api.headers import SecurityHeaders
from issuer.api.metadata import path_of
from issuer.api.oauth_endpoints import OAuthEndpoints
from issuer.api.parts import Parts
from issuer.api.routes import router
from issuer.consumers.revocations import revocations_feed
from issuer.domain.id_token_hint import IdTokenHint
from issuer.relay import make_relay
from issuer.settings import IssuerSettings
from issuer.signing.tokens import ID_TOKEN_ALG, Tokens
from issuer.store.families import Families
from issuer.usecases.forget_expired import forget_expired
from issuer.usecases.guesses import Guesses
from issuer.usecases.keyring import Keyring
from issuer.usecases.known_clients import KnownClients
from issuer.usecases.passwords import Passwords
from issuer.usecases.people import People
from messaging.level import is_level
from messaging.relay import Relay
from revocast import Feed
from servicekit import health, problems
from servicekit.correlation import CorrelationMiddleware
from servicekit.postgres import UNAVAILABLE, Pool, create_pool
from servicekit.serve import Background

FORGOTTEN_EVERY_SECONDS = 300.0

NOT_LEVEL = "the database has not been compared with the log, or is catching up: nothing is issued"


def create_app(settings: IssuerSettings) -> OAuthEndpoints:
    """The issuer: endpoints, pages, relay and feed, all inside the app's lifespan."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            pool = await create_pool(
                settings.database_url.get_secret_value(),
                size=settings.database_connections,
                application_name="issuer",
            )
            stack.push_async_callback(pool.close)
            passwords = Passwords()
            stack.callback(passwords.close)
            relay = make_relay(pool, settings)
            feed = revocations_feed(settings, pool, poke=relay.poke)
            parts = make_parts(settings, pool, feed, poke=relay.poke)
            people = People(
                pool=pool,
                passwords=passwords,
                hash_key=parts.families.hash_key,
                poke=relay.poke,
            )
            await parts.keyring.ensure(settings.access_token_alg, ID_TOKEN_ALG)
            mount(app, parts, people, cookie_key=settings.key("cookie_key"))
            background = _background(parts, people, relay)
            app.include_router(health.router(_health(pool, parts, relay, background)))
            stack.push_async_callback(_tell_last_guesses, parts)
            await feed.start()
            stack.push_async_callback(feed.stop)
            await stack.enter_async_context(background.running())
            yield

    return OAuthEndpoints(bare_app(settings.url, lifespan=lifespan), settings.url)


def bare_app(issuer: str, *, lifespan: Lifespan[FastAPI] | None = None) -> FastAPI:
    """An app without endpoints: what surrounds every request and answers what goes wrong."""
    app = FastAPI(title="Revocast issuer", lifespan=lifespan, openapi_url=None)
    problems.install(app)
    answers.install(app)
    app.add_middleware(OpenEndpoints, prefix=path_of(issuer))
    app.add_middleware(SecurityHeaders, secure=issuer.startswith("https:"))
    app.add_middleware(CorrelationMiddleware)
    return app


def mount(app: FastAPI, parts: Parts, people: People, *, cookie_key: bytes) -> None:
    """Endpoints for machines and pages for people."""

    async def verify_id_token_hint(token: str) -> IdTokenHint | None:
        claims = await parts.keyring.claims(token, issuer=parts.issuer, expired_too=True)
        return None if claims is None else _id_token_hint(claims)

    app.state.parts = parts
    app.include_router(router(parts))
    app.include_router(
        pages.router(
            people,
            issuer=parts.issuer,
            cookie_key=cookie_key,
            verify_id_token_hint=verify_id_token_hint,
            trusted_proxies=parts.trusted_proxies,
        ),
        prefix=path_of(parts.issuer),
    )


def make_parts(
    settings: IssuerSettings, pool: Pool, feed: Feed, *, poke: Callable[[], None]
) -> Parts:
    """What the endpoints work with."""
    hash_key = settings.key("personal_data_hash_key")
    return Parts(
        issuer=settings.url,
        families=Families(pool, settings.mac_keys, hash_key=hash_key, poke=poke),
        tokens=Tokens(settings.url, hash_key),
        keyring=Keyring(pool, settings.key("key_encryption_key")),
        clients=KnownClients(pool),
        guesses=Guesses(pool, poke),
        feed=feed,
        max_staleness=settings.max_staleness,
        access_token_alg=settings.access_token_alg,
        trusted_proxies=settings.trusted_proxies,
    )


def _id_token_hint(claims: dict[str, Any]) -> IdTokenHint | None:
    """An access token is no hint: it has a `jti`."""
    if "jti" in claims:
        return None
    session = UUID(claims["sid"]) if "sid" in claims else None
    return IdTokenHint(subject=UUID(claims["sub"]), session=session, client_id=claims["aud"])


async def _tell_last_guesses(parts: Parts) -> None:
    with contextlib.suppress(*UNAVAILABLE):
        await parts.guesses.tell()


def _background(parts: Parts, people: People, relay: Relay) -> Background:
    background = Background()
    background.add("pulse", parts.pulse.beat)
    background.add("relay", relay.run)
    background.add("keys", parts.keyring.keep_fresh)
    background.add("guesses", parts.guesses.tell_each_minute)
    background.add("forgetting", partial(_forget, people))
    return background


async def _forget(people: People) -> NoReturn:
    while True:
        await forget_expired(people)
        await asyncio.sleep(FORGOTTEN_EVERY_SECONDS)


def _health(pool: Pool, parts: Parts, relay: Relay, background: Background) -> health.Health:
    async def database() -> None:
        await pool.execute("SELECT")

    async def feed() -> str | None:
        return parts.feed.trouble(parts.max_staleness)

    async def log() -> str | None:
        async with pool.acquire() as connection:
            return None if await is_level(connection) else NOT_LEVEL

    checks = health.Health()
    checks.add("database", database)
    checks.add("log", log)
    # Without Kafka tokens are still issued, and their events wait in the outbox.
    checks.add("relay", relay.check, needed=False)
    checks.add("feed", feed, needed=False)
    checks.add("keys", partial(background.check, "keys"))
    return checks
