"""Opens the issuer's own admin use cases: with its settings, on its database."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

import asyncpg

from cli import demo
from cli.shown import fail
from devstack.addresses import Ports
from devstack.keys import Secrets
from devstack.settings import settings_of
from issuer.settings import IssuerSettings
from issuer.usecases.keyring import Keyring
from issuer.usecases.passwords import Passwords
from issuer.usecases.people import People
from servicekit.postgres import Pool, create_pool
from servicekit.settings import load

T = TypeVar("T")
PREFIX = "REVOCAST_ISSUER_"


@dataclass(frozen=True, slots=True)
class Admin:
    """What the issuer's admin use cases work with."""

    pool: Pool
    people: People
    keyring: Keyring


@asynccontextmanager
async def issuer_admin(environment: Mapping[str, str] | None = None) -> AsyncIterator[Admin]:
    """The issuer's use cases; its settings come from the environment, as the issuer's own do.

    The relay of a running issuer finds by itself what is written here.

    Raises:
        OSError, asyncpg.PostgresError: its database can't be reached.
    """
    with _set(environment or {}):
        settings = load(IssuerSettings)
    dsn = (settings.admin_database_url or settings.database_url).get_secret_value()
    pool = await create_pool(dsn, size=2, application_name="revocast command")
    passwords = Passwords()
    people = People(
        pool=pool,
        passwords=passwords,
        hash_key=settings.key("personal_data_hash_key"),
        poke=lambda: None,
    )
    try:
        yield Admin(pool, people, Keyring(pool, settings.key("key_encryption_key")))
    finally:
        passwords.close()
        await pool.close()


@contextmanager
def _set(environment: Mapping[str, str]) -> Iterator[None]:
    """Only while settings are read: what a process starts later must not inherit them."""
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def administer(work: Callable[[Admin], Awaitable[T]]) -> T:
    """Do something with the issuer of the environment, or else of the demo that runs here.

    A database that can't be used ends the command with one line.
    """

    async def opened() -> T:
        async with issuer_admin(_demo_environment()) as admin:
            return await work(admin)

    try:
        return asyncio.run(opened())
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        why = (str(error) or type(error).__name__).splitlines()[0]
        fail(f"the issuer's database ({PREFIX}DATABASE_URL) can't be used: {why}")


def _demo_environment() -> dict[str, str]:
    """Where the environment has no settings of an issuer, those of the demo's."""
    told = {name for name in os.environ if name.startswith(PREFIX)}
    if told - {f"{PREFIX}HOST", f"{PREFIX}PORT"}:  # these only say where the demo's listens
        return {}
    try:
        running = demo.read(demo.PATH)
    except FileNotFoundError:
        fail(f"nothing runs here: start it with `make run`, or set {PREFIX}* as the issuer has it")
    ports = {name: urlsplit(url).port or 0 for name, url in running.urls.items()}
    return settings_of(
        "issuer",
        ports=Ports(**ports),
        secrets=Secrets(demo.PATH.absolute().parent / "secrets"),
        kafka_bootstrap=running.kafka_bootstrap,
        environment=os.environ,
    )
