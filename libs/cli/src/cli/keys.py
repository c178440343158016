"""`revocast keys`: the issuer's signing keys."""

from typing import Any

import typer

from cli.issuer_admin import Admin, administer
from cli.shown import show_rows
from issuer.store.signing_keys import find_published
from issuer.usecases.keyring import KEPT_PUBLISHED

keys = typer.Typer(
    no_args_is_help=True,
    help="Look at the signing keys of the issuer that REVOCAST_ISSUER_* describes, or else of "
    "the demo that runs here.",
)
COLUMNS = ("kid", "alg", "signs_from", "signs_now")


@keys.callback()
def _group() -> None:
    """Signing keys."""


@keys.command(name="list")
def list_() -> None:
    """Every published key, the newest first, and whether it signs."""

    async def read(admin: Admin) -> list[dict[str, Any]]:
        async with admin.pool.acquire() as connection:
            return [
                {
                    "kid": row.kid,
                    "alg": row.alg,
                    "signs_from": row.signs_from.isoformat(),
                    "signs_now": row.usable,
                }
                for row in await find_published(connection, kept=KEPT_PUBLISHED)
            ]

    rows = administer(read)
    show_rows(rows, columns=COLUMNS, whole=rows)
