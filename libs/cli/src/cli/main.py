"""`revocast`: starts the system here, tends clients, people and keys, revokes, and asks why."""

import errno
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import asyncpg
import typer
from rich.console import Console

from cli import up as whole
from cli.audit import audit
from cli.clients import clients
from cli.demo import PATH
from cli.keys import keys
from cli.operator import Operator, Token, Url
from cli.resources import resources
from cli.shown import show
from cli.users import users
from devstack.errors import DevstackError
from devstack.lifetime import ends_in_order
from devstack.processes import explain
from revocast import pkce as proof

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # they hold passwords and tokens
    help=__doc__,
)
app.add_typer(clients, name="clients")
app.add_typer(resources, name="resources")
app.add_typer(users, name="users")
app.add_typer(keys, name="keys")
app.add_typer(audit, name="audit")


class Kind(StrEnum):
    """What can be revoked."""

    FAMILY = "family"
    SESSION = "session"
    SUBJECT = "subject"
    CLIENT = "client"
    JTI = "jti"


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
    told = _one_line_on_error("story: failed: start: ", f" {json.dumps(whole.NO_FIGURES)}")
    with told, ends_in_order(), whole.running(console) as (stack, demo):
        happened = whole.play(stack, demo, console)
    sys.exit(0 if happened else 1)


@app.command()
def pkce() -> None:
    """A fresh code verifier and its S256 challenge (RFC 7636)."""
    verifier = proof.verifier()
    show(
        {
            "code_verifier": verifier,
            "code_challenge": proof.challenge(verifier),
            "code_challenge_method": proof.METHOD,
        }
    )


@app.command()
def revoke(
    kind: Annotated[Kind, typer.Argument(help="What the id is of.")],
    value: Annotated[str, typer.Argument(help="Its id.")],
    reason: Annotated[str, typer.Option(help="Kept with the decision, for the audit.")],
    url: Url = None,
    token: Token = None,
) -> None:
    """Revoke everything of a selector; says whether the issuer has applied it yet."""
    operator = Operator("revocation", "revocations.write", url, token)
    body = {"selector": {kind: value}, "reason": reason}
    show(operator.call("POST", "/revocations", json=body))


class _one_line_on_error:  # noqa: N801 -- used like a function
    """Ends the command with one line: devstack's, or what a disk or a database has to say."""

    def __init__(self, prefix: str = "", suffix: str = "") -> None:
        self._prefix = prefix
        self._suffix = suffix

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DevstackError | OSError | asyncpg.PostgresError):
            why = (str(error) or type(error).__name__).splitlines()[0]
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                why = explain(error, Path(error.filename or PATH).absolute().parent)
            typer.echo(f"{self._prefix}{why}{self._suffix}", err=not self._prefix)
            sys.exit(1)
