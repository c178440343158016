"""`revocast users`: accounts, made with the issuer's own use case."""

from typing import Annotated

import typer

from cli.issuer_admin import Admin, administer
from cli.shown import fail, show
from issuer.domain.authorization import Account
from issuer.usecases.create_account import AccountRefused, create_account
from servicekit.correlation import correlation_id

users = typer.Typer(
    no_args_is_help=True,
    help="Create accounts at the issuer that REVOCAST_ISSUER_* describes, or else at the demo's "
    "that runs here.",
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

    async def make(admin: Admin) -> Account | AccountRefused:
        return await create_account(
            admin.people,
            username=username,
            password=password,
            name=name or username,
            email=email,
            scopes=frozenset(scope.split()),
            actor="command line",
            correlation_id=correlation_id(),
        )

    outcome = administer(make)
    if isinstance(outcome, AccountRefused):
        fail(outcome.why)
    show({"username": outcome.username, "subject": str(outcome.subject)})
