"""`python -m issuer` serves; `python -m issuer migrate` brings the database up to date."""

import asyncio
import sys
from pathlib import Path

import messaging
from issuer.app import create_app
from issuer.settings import IssuerSettings
from servicekit import logs
from servicekit.migrations import migrate
from servicekit.serve import run
from servicekit.settings import load

MIGRATIONS = Path(__file__).parent / "migrations"


def main(arguments: list[str]) -> None:
    """Run one of the two commands."""
    if arguments not in ([], ["migrate"]):
        sys.exit("usage: python -m issuer [migrate]")
    settings = load(IssuerSettings)
    logs.configure("issuer", settings.log_level)
    if arguments:
        owner = settings.migration_database_url or settings.database_url
        asyncio.run(migrate(owner.get_secret_value(), messaging.MIGRATIONS, MIGRATIONS))
        return
    app = create_app(settings)
    run(app, host=settings.host, port=settings.port, drain_seconds=settings.drain_seconds)


if __name__ == "__main__":
    main(sys.argv[1:])
