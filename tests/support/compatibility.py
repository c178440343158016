"""What changed between a released schema and today's that some reader or writer can't bear."""

from collections.abc import Iterator
from typing import Any

ANNOTATIONS = {"$schema", "$defs", "title", "description", "default"}
REFERENCES = {"$ref", "$defs"}
NESTED = {"items", "additionalProperties"}
OPEN = "x-open-when-read"


def violations(released: dict[str, Any], today: dict[str, Any]) -> list[str]:
    """Where today's schema of a type is not the released one with optional members added.

    Within a version only two things may change: an optional member may come, and so may a word of
    an enumeration that is open when read. Widening is refused as narrowing is: a reader of the
    released version would refuse what the new one lets through.
    """
    return list(_compare(_Document(released).root, _Document(today).root, "$"))


class _Document:
    """A schema with its references replaced by what they name."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._definitions: dict[str, Any] = schema.get("$defs", {})
        self.root: dict[str, Any] = self._resolve(schema)

    def _resolve(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self._resolve(item) for item in node]
        if not isinstance(node, dict):
            return node
        rest = {key: self._resolve(value) for key, value in node.items() if key not in REFERENCES}
        if "$ref" not in node:
            return rest
        name = node["$ref"].removeprefix("#/$defs/")
        return {**self._resolve(self._definitions[name]), **rest}


def _compare(released: dict[str, Any], today: dict[str, Any], where: str) -> Iterator[str]:
    for keyword in sorted((released.keys() | today.keys()) - ANNOTATIONS):
        before, after = released.get(keyword), today.get(keyword)
        if keyword == "properties":
            yield from _members(before or {}, after or {}, where)
        elif keyword == "required":
            yield from _required(before or [], after or [], where)
        elif keyword == "enum" and before is not None and after is not None:
            yield from _words(before, after, where, may_grow=released.get(OPEN) is True)
        elif keyword in NESTED and isinstance(before, dict) and isinstance(after, dict):
            yield from _compare(before, after, f"{where}.*")
        elif keyword == "anyOf" and before is not None and after is not None:
            yield from _variants(before, after, where)
        elif before != after:
            yield f"{where}: {keyword} was {before!r}, is {after!r}"


def _members(before: dict[str, Any], after: dict[str, Any], where: str) -> Iterator[str]:
    for name, schema in before.items():
        if name in after:
            yield from _compare(schema, after[name], f"{where}.{name}")
        else:
            yield f"{where}.{name}: was removed"


def _required(before: list[str], after: list[str], where: str) -> Iterator[str]:
    yield from (f"{where}.{name}: is newly required" for name in after if name not in before)
    yield from (f"{where}.{name}: is no longer required" for name in before if name not in after)


def _words(before: list[Any], after: list[Any], where: str, *, may_grow: bool) -> Iterator[str]:
    yield from (f"{where}: {word!r} was removed" for word in before if word not in after)
    if not may_grow:
        yield from (f"{where}: {word!r} was added" for word in after if word not in before)


def _variants(
    before: list[dict[str, Any]], after: list[dict[str, Any]], where: str
) -> Iterator[str]:
    if len(before) != len(after):
        yield f"{where}: had {len(before)} variants, has {len(after)}"
        return
    for old, new in zip(before, after, strict=True):
        yield from _compare(old, new, where)
