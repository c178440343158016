"""`revocast clients`: the issuer's own admin use cases, on its database."""

import asyncio
import json
from dataclasses import replace
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.issuer_admin import issuer_admin
from issuer.domain.client import GrantType
from issuer.store.clients import find_all
from issuer.usecases.clients import (
    DEFAULTS,
    RegistrationRefused,
    disable_client,
    register_client,
)

clients = typer.Typer(
    no_args_is_help=True,
    help="Register, list and disable clients; reads the issuer's own settings (REVOCAST_ISSUER_*).",
)
ACTOR = "command line"


@clients.command()
def create(
    client_id: str,
    name: Annotated[str | None, typer.Option(help="Shown to people who consent.")] = None,
    redirect_uri: Annotated[list[str] | None, typer.Option(help="May be repeated.")] = None,
    scope: Annotated[str, typer.Option(help="All it may ask for, space-separated.")] = "openid",
    resource: Annotated[list[str] | None, typer.Option(help="APIs; may be repeated.")] = None,
    grant: Annotated[list[GrantType] | None, typer.Option(help="May be repeated.")] = None,
    public: Annotated[bool, typer.Option("--public", help="It can't keep a secret.")] = False,
    native: Annotated[bool, typer.Option("--native", help="An app; any loopback port.")] = False,
) -> None:
    """Register a client. Its secret is printed once and never again."""
    client = replace(
        DEFAULTS,
        client_id=client_id,
        name=name or client_id,
        grants=frozenset(grant) if grant else DEFAULTS.grants,
        redirect_uris=tuple(redirect_uri or ()),
        scopes=frozenset(scope.split()),
        resources=tuple(resource or ()),
        native=native,
    )

    async def register() -> object:
        async with issuer_admin() as admin:
            return await register_client(
                admin.pool, client, confidential=not public, actor=ACTOR, correlation_id=ACTOR
            )

    outcome = asyncio.run(register())
    if isinstance(outcome, RegistrationRefused):
        typer.echo(outcome.why, err=True)
        raise typer.Exit(1)
    secret = getattr(outcome, "secret", None)
    told = {"client_id": client_id, **({"client_secret": secret} if secret else {})}
    typer.echo(json.dumps(told, indent=2))


@clients.command(name="list")
def list_() -> None:
    """Every client, without secrets: they are not known here."""

    async def read() -> Table:
        async with issuer_admin() as admin, admin.pool.acquire() as connection:
            table = Table("client", "name", "kind", "grants", "scope", "state")
            for each in await find_all(connection):
                table.add_row(
                    each.client_id,
                    each.name,
                    "confidential" if each.confidential else "public",
                    " ".join(sorted(each.grants)),
                    " ".join(sorted(each.scopes)),
                    "disabled" if each.disabled else "enabled",
                )
            return table

    Console().print(asyncio.run(read()))


@clients.command()
def disable(client_id: str) -> None:
    """Switch a client off: nothing is issued to it, and all it holds is dead."""

    async def switch_off() -> bool:
        async with issuer_admin() as admin:
            return await disable_client(admin.pool, client_id, actor=ACTOR, correlation_id=ACTOR)

    if not asyncio.run(switch_off()):
        typer.echo("no such client, or it is disabled already", err=True)
        raise typer.Exit(1)
    typer.echo(f"{client_id} is disabled")
