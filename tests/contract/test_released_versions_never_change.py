import copy
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from revocast_contracts.asyncapi import RELEASE
from tests.support.compatibility import violations
from tests.support.events import CONTRACTS

RELEASED = CONTRACTS / "released"
DIGESTS = {
    "0.1.0": "256326ebcdfc1f8ef4c85a90f0cae3f7c902927647be76c7f2fb502737e498ba",
}
Schema = dict[str, Any]
Change = Callable[[Schema], object]

WORDS = {"enum": ["a", "b"], "type": "string"}
BEFORE: Schema = {
    "$defs": {
        "Inner": {
            "type": "object",
            "properties": {"deep": {"type": "string"}},
            "required": ["deep"],
            "additionalProperties": False,
        },
        "Word": WORDS,
    },
    "type": "object",
    "properties": {
        "id": {"type": "string", "minLength": 1, "maxLength": 10},
        "count": {"type": "integer", "minimum": 0, "description": "How many."},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "closed": {"$ref": "#/$defs/Word"},
        "open": {"$ref": "#/$defs/Word", "x-open-when-read": True},
        "inner": {"anyOf": [{"$ref": "#/$defs/Inner"}, {"type": "null"}]},
        "list": {"type": "array", "items": {"type": "string"}},
        "map": {"type": "object", "additionalProperties": {"type": "string"}},
        "kind": {"const": "x"},
    },
    "required": ["id", "count", "closed", "open"],
    "additionalProperties": False,
}


def digest(release: Path) -> str:
    """Of the names and bytes of a release's schemas."""
    whole = hashlib.sha256()
    for file in sorted(release.glob("*.json")):
        whole.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return whole.hexdigest()


def releases() -> list[Path]:
    """Every release, oldest first."""
    return sorted(RELEASED.iterdir(), key=lambda path: [int(x) for x in path.name.split(".")])


def test_a_release_has_the_bytes_it_was_released_with() -> None:
    """The schemas of a release are pinned; changing one is a new release."""
    assert {release.name: digest(release) for release in releases()} == DIGESTS
    assert RELEASE in DIGESTS


@pytest.mark.parametrize(
    "released",
    [file for release in releases() for file in sorted(release.glob("*.json"))],
    ids=lambda file: f"{file.parent.name}/{file.stem}",
)
def test_todays_schemas_are_compatible(released: Path) -> None:
    """A type that was released is still there, and nothing but optional members came to it."""
    today = CONTRACTS / "schemas" / released.name
    assert today.exists(), "a released type was removed"
    assert violations(json.loads(released.read_text()), json.loads(today.read_text())) == []


def change(path: str, value: Any) -> Change:
    """Sets the keyword at a dotted path; without a value, removes it."""

    def apply(schema: Schema) -> None:
        *steps, last = path.split("/")
        node: Any = schema
        for step in steps:
            node = node[int(step)] if isinstance(node, list) else node[step]
        if value is None:
            del node[last]
        else:
            node[last] = value

    return apply


BAD: dict[str, tuple[Change, str]] = {
    "removed member": (change("properties/note", None), "$.note: was removed"),
    "removed deep member": (
        change("$defs/Inner/properties/deep", None),
        "$.inner.deep: was removed",
    ),
    "retyped": (change("properties/count/type", "string"), "$.count: type was"),
    "retyped items": (change("properties/list/items/type", "integer"), "$.list.*: type was"),
    "retyped values": (
        change("properties/map/additionalProperties/type", "integer"),
        "$.map.*: type was",
    ),
    "newly required": (
        change("required", [*BEFORE["required"], "note"]),
        "$.note: is newly required",
    ),
    "added and required": (
        lambda schema: (
            schema["properties"].update(new={"type": "string"}),
            schema["required"].append("new"),
        ),
        "$.new: is newly required",
    ),
    "no longer required": (change("required", ["id"]), "$.count: is no longer required"),
    "no longer nullable": (change("properties/note/anyOf", [{"type": "string"}]), "$.note: had 2"),
    "newly nullable": (
        lambda schema: (
            schema["properties"].update(
                id={"anyOf": [schema["properties"]["id"], {"type": "null"}]}
            ),
        ),
        "$.id: anyOf was None",
    ),
    "removed word": (change("$defs/Word/enum", ["a"]), "$.open: 'b' was removed"),
    "word added to a closed enumeration": (
        change("$defs/Word/enum", ["a", "b", "c"]),
        "$.closed: 'c' was added",
    ),
    "enumeration closed": (change("properties/open/x-open-when-read", None), "$.open: x-open"),
    "narrowed length": (change("properties/id/maxLength", 9), "$.id: maxLength was 10"),
    "narrowed minimum": (change("properties/count/minimum", 1), "$.count: minimum was 0"),
    "widened length": (change("properties/id/maxLength", 11), "$.id: maxLength was 10"),
    "new bound": (change("properties/count/maximum", 7), "$.count: maximum was None"),
    "new pattern": (change("properties/id/pattern", "^a"), "$.id: pattern was None"),
    "other constant": (change("properties/kind/const", "y"), "$.kind: const was 'x'"),
    "opened": (change("additionalProperties", None), "$: additionalProperties was False"),
    "new format": (change("properties/id/format", "uuid"), "$.id: format was None"),
}
GOOD: dict[str, Change] = {
    "nothing": lambda schema: None,
    "added optional member": change("properties/new", {"type": "string"}),
    "added deep optional member": change("$defs/Inner/properties/new", {"type": "string"}),
    "other words of ours": change("properties/count/description", "How many there were."),
    "other order": change("required", list(reversed(BEFORE["required"]))),
    "renamed definition": lambda schema: (
        schema["$defs"].update(Other=schema["$defs"].pop("Inner")),
        schema["properties"]["inner"]["anyOf"][0].update({"$ref": "#/$defs/Other"}),
    ),
    "word added to an open enumeration": lambda schema: (
        schema["$defs"].update(Wider={"enum": ["a", "b", "c"], "type": "string"}),
        schema["properties"]["open"].update({"$ref": "#/$defs/Wider"}),
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_change_is_caught(name: str) -> None:
    """The checker names the member and what is wrong with it."""
    apply, expected = BAD[name]
    after = copy.deepcopy(BEFORE)
    apply(after)
    found = violations(BEFORE, after)
    assert any(violation.startswith(expected) for violation in found), found


@pytest.mark.parametrize("name", GOOD)
def test_a_good_change_passes(name: str) -> None:
    """What old readers and old writers bear is allowed."""
    after = copy.deepcopy(BEFORE)
    GOOD[name](after)
    assert violations(BEFORE, after) == []
