"""`python -m audit` serves; `python -m audit migrate` prepares the database, as its owner."""

import asyncio
import sys

from audit.app import create_app, migrate
from audit.settings import AuditSettings
from servicekit.logs import configure
from servicekit.serve import run
from servicekit.settings import load


def main() -> None:
    """Serve, or migrate when told to."""
    settings = load(AuditSettings)
    configure("audit", settings.log_level)
    match sys.argv[1:]:
        case []:
            app = create_app(settings)
            run(app, host=settings.host, port=settings.port, drain_seconds=settings.drain_seconds)
        case ["migrate"]:
            applied = asyncio.run(migrate(settings))
            sys.stdout.write(f"audit: {len(applied)} migrations applied\n")
        case _:
            sys.exit("usage: python -m audit [migrate]")


if __name__ == "__main__":
    main()
