"""`revocast users`: accounts, made with the issuer's own use case."""

import asyncio
from typing import Annotated

import typer

from cli.issuer_admin import issuer_admin
from issuer.usecases.create_account import AccountRefused, create_account

users = typer.Typer(
    no_args_is_help=True,
    help="Create accounts; reads the issuer's own settings (REVOCAST_ISSUER_*).",
)


@users.callback()
def _group() -> None:
    """Accounts."""


@users.command()
def create(
    username: str,
    scope: Annotated[str, typer.Option(help="What it may allow clients, space-separated.")] = "",
    name: Annotated[str | None, typer.Option(help="The person's name.")] = None,
    email: Annotated[str | None, typer.Option()] = None,
    password: Annotated[
        str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True)
    ] = "",
) -> None:
    """Create an account; asks for its password, so that no shell history keeps it."""

    async def make() -> object:
        async with issuer_admin() as admin:
            return await create_account(
                admin.people,
                username=username,
                password=password,
                name=name or username,
                email=email,
                scopes=frozenset(scope.split()),
                actor="command line",
                correlation_id="command line",
            )

    outcome = asyncio.run(make())
    if isinstance(outcome, AccountRefused):
        typer.echo(outcome.why, err=True)
        raise typer.Exit(1)
    typer.echo(f"{username} can sign in")
