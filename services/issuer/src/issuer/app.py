"""Puts the issuer together; the only module that knows all parts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import NoReturn
from uuid import UUID

from fastapi import APIRouter, FastAPI

from issuer import pages
from issuer.api import answers
from issuer.api.cors import OpenEndpoints
from issuer.api.parts import Parts
from issuer.api.routes import router
from issuer.consumers.revocations import revocations_feed
from issuer.domain.id_token_hint import IdTokenHint
from issuer.relay import make_relay
from issuer.settings import IssuerSettings
from issuer.signing.tokens import Tokens
from issuer.store.families import Families
from issuer.usecases.forget_expired import forget_expired
from issuer.usecases.guesses import Guesses
from issuer.usecases.keyring import Keyring
from issuer.usecases.known_clients import KnownClients
from issuer.usecases.passwords import Passwords
from issuer.usecases.people import People
from messaging.relay import Relay
from servicekit import health, problems
from servicekit.correlation import CorrelationMiddleware
from servicekit.limits import BodyLimit
from servicekit.postgres import Pool, create_pool
from servicekit.serve import Background

FORGOTTEN_EVERY_SECONDS = 300.0


def create_app(settings: IssuerSettings) -> FastAPI:
    """The issuer: endpoints, pages, relay and feed, all inside the app's lifespan."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        pool = await create_pool(
            settings.database_url.get_secret_value(),
            size=settings.database_connections,
            application_name="issuer",
        )
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(pool.close)
            passwords = Passwords()
            stack.callback(passwords.close)
            relay = make_relay(pool, settings)
            parts = _parts(settings, pool, relay)
            await parts.keyring.ensure(settings.access_token_alg, settings.id_token_alg, "RS256")
            await parts.feed.start()
            stack.push_async_callback(parts.feed.stop)
            people = People(
                pool=pool,
                passwords=passwords,
                hash_key=settings.key("personal_data_hash_key"),
                poke=relay.poke,
            )
            background = _background(parts, people, relay)
            app.include_router(router(parts))
            app.include_router(_pages(settings, parts, people))
            app.include_router(health.router(_health(pool, parts, relay, background)))
            await stack.enter_async_context(background.running())
            yield

    app = FastAPI(title="Revocast issuer", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_middleware(BodyLimit)
    app.add_middleware(OpenEndpoints)
    app.add_middleware(CorrelationMiddleware)
    problems.install(app)
    answers.install(app)
    return app


def _parts(settings: IssuerSettings, pool: Pool, relay: Relay) -> Parts:
    hash_key = settings.key("personal_data_hash_key")
    return Parts(
        issuer=settings.url,
        families=Families(pool, settings.mac_keys, hash_key=hash_key, poke=relay.poke),
        tokens=Tokens(settings.url, hash_key),
        keyring=Keyring(pool, settings.key("key_encryption_key")),
        clients=KnownClients(pool),
        guesses=Guesses(pool),
        feed=revocations_feed(settings.kafka_bootstrap, pool, poke=relay.poke),
        max_staleness=settings.max_staleness,
        id_token_alg=settings.id_token_alg,
        access_token_alg=settings.access_token_alg,
        trusted_proxies=settings.trusted_proxies,
    )


def _pages(settings: IssuerSettings, parts: Parts, people: People) -> APIRouter:
    async def verify_id_token_hint(token: str) -> IdTokenHint | None:
        claims = parts.tokens.verified(token, parts.keyring.published, expired_too=True)
        if claims is None or "jti" in claims:
            return None
        try:
            session = UUID(claims["sid"]) if "sid" in claims else None
            return IdTokenHint(
                subject=UUID(claims["sub"]), session=session, client_id=claims["aud"]
            )
        except (KeyError, ValueError):
            return None

    return pages.router(
        people,
        issuer=settings.url,
        cookie_key=settings.key("cookie_key"),
        verify_id_token_hint=verify_id_token_hint,
        trusted_proxies=settings.trusted_proxies,
    )


def _background(parts: Parts, people: People, relay: Relay) -> Background:
    background = Background()
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

    checks = health.Health()
    checks.add("database", database)
    checks.add("relay", relay.check)
    checks.add("feed", feed)
    checks.add("keys", partial(background.check, "keys"))
    return checks
