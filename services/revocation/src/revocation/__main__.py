"""`python -m revocation` serves; `python -m revocation migrate` brings the database up to date."""

import asyncio
import sys
from pathlib import Path

import messaging
from revocation.app import create_app
from revocation.settings import RevocationSettings
from servicekit import logs
from servicekit.migrations import migrate
from servicekit.serve import run
from servicekit.settings import load

MIGRATIONS = Path(__file__).parent / "migrations"


def main(arguments: list[str]) -> None:
    """Run one of the two commands."""
    if arguments not in ([], ["migrate"]):
        sys.exit("usage: python -m revocation [migrate]")
    settings = load(RevocationSettings)
    logs.configure("revocation", settings.log_level)
    if arguments:
        owner = settings.migration_database_url or settings.database_url
        asyncio.run(migrate(owner.get_secret_value(), messaging.MIGRATIONS, MIGRATIONS))
        return
    app = create_app(settings)
    run(app, host=settings.host, port=settings.port, drain_seconds=settings.drain_seconds)


if __name__ == "__main__":
    main(sys.argv[1:])
