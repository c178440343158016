"""`revocast`: starts the system here, tends clients, people and keys, revokes, and asks why."""

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli import up as whole
from cli.clients import clients
from cli.keys import keys
from cli.operator import TOKEN, Operator
from cli.users import users
from devstack.errors import DevstackError
from devstack.lifetime import ends_in_order
from revocast import pkce as proof

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
audit = typer.Typer(no_args_is_help=True, help="Read what happened, from the audit service.")
app.add_typer(clients, name="clients")
app.add_typer(users, name="users")
app.add_typer(keys, name="keys")
app.add_typer(audit, name="audit")

Url = Annotated[str | None, typer.Option("--url", help="The service; the demo's by default.")]
Token = Annotated[
    str | None, typer.Option(envvar=TOKEN, help="An access token; the demo operator's if none.")
]


@app.command()
def up() -> None:
    """Start everything on this machine, play one story, serve until Ctrl-C."""
    console = Console(soft_wrap=True)
    with _one_line_on_error(), ends_in_order(), whole.running(console) as (stack, demo):
        whole.play(stack, demo, console)
        whole.serve(demo, console)


@app.command()
def story() -> None:
    """Start everything, play one story, stop; exit 0 only if every step really happened."""
    console = Console(soft_wrap=True)
    told = _one_line_on_error(prefix="story: failed: start: ", suffix=" {}")
    with told, ends_in_order(), whole.running(console) as (stack, demo):
        happened = whole.play(stack, demo, console)
    sys.exit(0 if happened else 1)


@app.command()
def pkce() -> None:
    """A fresh code verifier and its S256 challenge (RFC 7636)."""
    verifier = proof.verifier()
    _print(
        {
            "code_verifier": verifier,
            "code_challenge": proof.challenge(verifier),
            "code_challenge_method": proof.METHOD,
        }
    )


@app.command()
def revoke(
    kind: Annotated[str, typer.Argument(help="family, session, subject, client or jti")],
    value: Annotated[str, typer.Argument(help="Its id.")],
    reason: Annotated[str, typer.Option(help="Kept with the decision, for the audit.")],
    url: Url = None,
    token: Token = None,
) -> None:
    """Revoke everything of a selector; says when the issuer has applied it."""
    operator = Operator("revocation", "revocations.write", url, token)
    body = {"selector": {kind: value}, "reason": reason}
    _print(operator.call("POST", "/revocations", json=body))


@audit.command()
def records(
    family: str | None = None,
    session: str | None = None,
    subject: str | None = None,
    client: str | None = None,
    event_type: Annotated[str | None, typer.Option("--type")] = None,
    correlation_id: str | None = None,
    limit: int = 50,
    url: Url = None,
    token: Token = None,
) -> None:
    """The records that match, newest first."""
    filters = {
        "family": family,
        "session": session,
        "subject": subject,
        "client": client,
        "type": event_type,
        "correlation_id": correlation_id,
        "limit": limit,
    }
    operator = Operator("audit", "audit.read", url, token)
    given = {name: value for name, value in filters.items() if value is not None}
    found = operator.call("GET", "/records", params=given)
    table = Table("index", "time", "type", "family", "client")
    for record in found["records"]:
        named = (record.get(name) for name in ("index", "time", "type", "family", "client"))
        table.add_row(*("" if value is None else str(value) for value in named))
    Console().print(table)


@audit.command()
def family(family_id: str, url: Url = None, token: Token = None) -> None:
    """The whole story of a family, in order, with the cause of its end."""
    operator = Operator("audit", "audit.read", url, token)
    _print(operator.call("GET", f"/families/{family_id}"))


def _print(value: Any) -> None:
    if sys.stdout.isatty():
        Console().print_json(json.dumps(value))
    else:
        typer.echo(json.dumps(value, indent=2))


class _one_line_on_error:  # noqa: N801 -- used like a function
    """Ends the command with one line where devstack has one to say."""

    def __init__(self, prefix: str = "", suffix: str = "") -> None:
        self._prefix = prefix
        self._suffix = suffix

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DevstackError):
            typer.echo(f"{self._prefix}{error}{self._suffix}", err=not self._prefix)
            sys.exit(1)
