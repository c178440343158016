"""An exception for the log: where it was raised, and no message that may quote what was sent."""

import traceback
from types import TracebackType
from typing import TypeAlias

import asyncpg

ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]

_QUOTING = (ValueError, LookupError)
"""Their messages repeat the value that was wrong: int("..."), UUID("..."), pydantic, keys."""


def render(error: BaseException) -> str:
    """Places and messages of an exception and what led to it, the last one first."""
    parts = []
    each: BaseException | None = error
    seen: set[int] = set()
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        parts.append(_one(each))
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
    return "\nwhich came of:\n".join(parts)


def _one(error: BaseException) -> str:
    places = "".join(traceback.format_tb(error.__traceback__))
    told = f"{places}{type(error).__module__}.{type(error).__qualname__}: {message(error)}"
    if isinstance(error, BaseExceptionGroup):
        told += "".join(f"\nin the group:\n{render(inner)}" for inner in error.exceptions)
    return told


def message(error: BaseException) -> str:
    """What an exception says, unless its kind is known to quote values.

    Postgres quotes values and whole rows, so of its errors only the SQLSTATE is told.
    """
    if isinstance(error, asyncpg.PostgresError):
        return f"SQLSTATE {error.sqlstate}"
    if isinstance(error, _QUOTING):
        return "(its message may quote what was sent)"
    return str(error)
