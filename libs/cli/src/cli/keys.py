"""`revocast keys`: the issuer's signing keys."""

import asyncio

import typer
from rich.console import Console
from rich.table import Table

from cli.issuer_admin import issuer_admin
from issuer.store.signing_keys import find_published
from issuer.usecases.keyring import KEPT_PUBLISHED

keys = typer.Typer(
    no_args_is_help=True,
    help="Look at signing keys; reads the issuer's own settings (REVOCAST_ISSUER_*).",
)


@keys.callback()
def _group() -> None:
    """Signing keys."""


@keys.command(name="list")
def list_() -> None:
    """Every published key, the newest first, and whether it signs."""

    async def read() -> Table:
        async with issuer_admin() as admin, admin.pool.acquire() as connection:
            table = Table("key", "alg", "signs from", "signs now")
            for row in await find_published(connection, kept=KEPT_PUBLISHED):
                signs = "yes" if row.usable else "no"
                table.add_row(row.kid, row.alg, row.signs_from.isoformat(), signs)
            return table

    Console().print(asyncio.run(read()))
