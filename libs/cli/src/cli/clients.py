"""`revocast clients`: the issuer's own admin use cases, on its database."""

from dataclasses import replace
from typing import Annotated, Any

import typer

from cli.issuer_admin import Admin, administer
from cli.shown import fail, show, show_rows
from issuer.domain.client import Client, GrantType
from issuer.store.clients import find_all
from issuer.usecases.clients import (
    DEFAULTS,
    Registered,
    RegistrationRefused,
    disable_client,
    register_client,
)
from servicekit.correlation import correlation_id

clients = typer.Typer(
    no_args_is_help=True,
    help="Register, list and disable clients of the issuer that REVOCAST_ISSUER_* describes, "
    "or else of the demo that runs here.",
)
ACTOR = "command line"
COLUMNS = ("client_id", "name", "kind", "grants", "scope", "state")


@clients.command()
def create(
    client_id: str,
    name: Annotated[str | None, typer.Option(help="Shown to people who consent.")] = None,
    redirect_uri: Annotated[list[str] | None, typer.Option(help="May be repeated.")] = None,
    scope: Annotated[str, typer.Option(help="All it may ask for, space-separated.")] = "openid",
    resource: Annotated[list[str] | None, typer.Option(help="APIs; may be repeated.")] = None,
    grant: Annotated[
        list[GrantType] | None,
        typer.Option(help="May be repeated; code and refresh by default."),
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="It can't keep a secret.")] = False,
    native: Annotated[bool, typer.Option("--native", help="An app; any loopback port.")] = False,
    without_pkce: Annotated[
        bool,
        typer.Option("--without-pkce", help="Exempt it: it has to send a nonce instead."),
    ] = False,
    post_logout_redirect_uri: Annotated[
        list[str] | None, typer.Option(help="Where /logout may return to; may be repeated.")
    ] = None,
    introspects: Annotated[
        list[str] | None,
        typer.Option(help="A client whose tokens it may introspect; may be repeated."),
    ] = None,
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
        pkce_required=not without_pkce,
        post_logout_redirect_uris=tuple(post_logout_redirect_uri or ()),
        introspects=frozenset(introspects or ()),
    )

    async def register(admin: Admin) -> Registered | RegistrationRefused:
        return await register_client(
            admin.pool,
            client,
            confidential=not public,
            actor=ACTOR,
            correlation_id=correlation_id(),
        )

    outcome = administer(register)
    if isinstance(outcome, RegistrationRefused):
        fail(outcome.why)
    secret = {"client_secret": outcome.secret} if outcome.secret else {}
    show({"client_id": client_id, **secret})


@clients.command(name="list")
def list_() -> None:
    """Every client, without secrets: they are not known here."""

    async def read(admin: Admin) -> list[Client]:
        async with admin.pool.acquire() as connection:
            return await find_all(connection)

    rows = [_view(client) for client in administer(read)]
    show_rows(rows, columns=COLUMNS, whole=rows)


@clients.command()
def disable(client_id: str) -> None:
    """Switch a client off: nothing is issued to it, and all it holds is dead."""

    async def switch_off(admin: Admin) -> bool:
        return await disable_client(
            admin.pool, client_id, actor=ACTOR, correlation_id=correlation_id()
        )

    if not client_id.isprintable() or not administer(switch_off):
        fail("no such client, or it is disabled already")
    show({"client_id": client_id, "state": "disabled"})


def _view(client: Client) -> dict[str, Any]:
    return {
        "client_id": client.client_id,
        "name": client.name,
        "kind": "confidential" if client.confidential else "public",
        "grants": sorted(client.grants),
        "scope": " ".join(sorted(client.scopes)),
        "redirect_uris": list(client.redirect_uris),
        "resources": list(client.resources),
        "state": "disabled" if client.disabled else "enabled",
    }
