"""JSON values as YAML 1.2 text that YAML 1.1 reads the same way; no dependency for one file."""

import json
import re
from collections.abc import Iterator
from typing import Any

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_NOT_TEXT = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])


def to_yaml(value: dict[str, Any]) -> str:
    """A mapping of JSON values -> block style, in the order given."""
    return "".join(f"{line}\n" for line in _mapping(value, ""))


def _mapping(value: dict[str, Any], indent: str) -> Iterator[str]:
    for key, inner in value.items():
        yield from _entry(f"{indent}{_scalar(key)}:", inner, indent)


def _entry(head: str, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        yield head
        yield from _mapping(value, indent + "  ")
    elif isinstance(value, list) and value:
        yield head
        yield from _sequence(value, indent + "  ")
    else:
        yield f"{head} {_scalar(value)}"


def _sequence(values: list[Any], indent: str) -> Iterator[str]:
    for value in values:
        lines = list(_mapping(value, indent + "  ")) if isinstance(value, dict) else []
        first, *rest = lines or [_scalar(value)]
        yield f"{indent}- {first.strip()}"
        yield from rest


def _scalar(value: Any) -> str:
    plain = isinstance(value, str) and _PLAIN.fullmatch(value) is not None
    return value if plain and value.lower() not in _NOT_TEXT else json.dumps(value)
