"""What a command prints: a table for a person at a terminal, JSON for whoever reads a pipe."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"


def show(value: Any) -> None:
    """A value as JSON."""
    text = json.dumps(value, indent=2)
    if sys.stdout.isatty():
        Console().print_json(text, ensure_ascii=True)
    else:
        typer.echo(text)


def show_rows(rows: Sequence[Mapping[str, Any]], *, columns: Sequence[str], whole: Any) -> None:
    """Some columns of rows as a table; `whole` where nobody looks."""
    if not sys.stdout.isatty():
        show(whole)
        return
    table = Table(*columns)
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    Console().print(table)


def fail(why: str) -> NoReturn:
    """End the command with a line on stderr and status 1."""
    typer.echo(why, err=True)
    raise typer.Exit(1)


def _cell(value: Any) -> Text:
    """Plain text: what others wrote neither styles the table nor drives the terminal."""
    if isinstance(value, list | tuple | set | frozenset):
        value = " ".join(sorted(value))
    text = "" if value is None else str(value)
    return Text("".join(each if each.isprintable() else UNPRINTABLE for each in text))
