"""`revocast audit`: what happened, from the audit service."""

from enum import StrEnum
from typing import Annotated
from urllib.parse import quote

import typer

from cli.operator import Operator, Token, Url
from cli.shown import show, show_rows

audit = typer.Typer(no_args_is_help=True, help="Read what happened, from the audit service.")
COLUMNS = ("index", "time", "type", "family", "subject", "client")


class Order(StrEnum):
    """Which records come first."""

    NEWEST = "newest"
    OLDEST = "oldest"


@audit.command()
def records(
    family: str | None = None,
    session: str | None = None,
    subject: str | None = None,
    client: str | None = None,
    event_type: Annotated[
        str | None, typer.Option("--type", help="As revocast.token.issued.v1.")
    ] = None,
    correlation_id: str | None = None,
    since: Annotated[str | None, typer.Option("--from", help="As 2026-01-31T23:59:59Z.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="This time is left out.")] = None,
    order: Order = Order.NEWEST,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 50,
    cursor: Annotated[
        str | None, typer.Option(help="`next` of an answer to the same question.")
    ] = None,
    url: Url = None,
    token: Token = None,
) -> None:
    """The records that match."""
    filters = {
        "family": family,
        "session": session,
        "subject": subject,
        "client": client,
        "type": event_type,
        "correlation_id": correlation_id,
        "from": since,
        "to": until,
        "order": order,
        "limit": limit,
        "cursor": cursor,
    }
    given = {name: value for name, value in filters.items() if value is not None}
    found = Operator("audit", "audit.read", url, token).call("GET", "/records", params=given)
    show_rows(found["records"], columns=COLUMNS, whole=found)


@audit.command()
def family(family_id: str, url: Url = None, token: Token = None) -> None:
    """The whole story of a family, in order, with the cause of its end."""
    operator = Operator("audit", "audit.read", url, token)
    show(operator.call("GET", f"/families/{quote(family_id, safe='')}"))
