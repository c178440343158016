"""Opens the issuer's own admin use cases: with its settings, on its database."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from issuer.settings import IssuerSettings
from issuer.usecases.keyring import Keyring
from issuer.usecases.passwords import Passwords
from issuer.usecases.people import People
from servicekit.postgres import Pool, create_pool
from servicekit.settings import load


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
    """
    os.environ.update(environment or {})
    settings = load(IssuerSettings)
    pool = await create_pool(
        settings.database_url.get_secret_value(), size=2, application_name="revocast command"
    )
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
