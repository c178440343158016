"""Every generated file of `contracts/`, the same bytes each time."""

import json
from pathlib import Path

from revocast_contracts.asyncapi import asyncapi_document
from revocast_contracts.codec import TYPES
from revocast_contracts.schemas import event_schema
from revocast_contracts.topic_table import topics_page
from revocast_contracts.yaml import to_yaml


def generated_files() -> dict[str, str]:
    """Paths below `contracts/` and the text of each file."""
    schemas = {
        f"schemas/{event_type}.json": json.dumps(event_schema(model), indent=2) + "\n"
        for event_type, model in sorted(TYPES.items())
    }
    return {
        **schemas,
        "asyncapi.yaml": to_yaml(asyncapi_document()),
        "topics.md": topics_page(),
    }


def generate(directory: Path) -> None:
    """Write them all there, and remove the schemas of types that are no more."""
    files = generated_files()
    (directory / "schemas").mkdir(parents=True, exist_ok=True)
    for schema in (directory / "schemas").glob("*.json"):
        if f"schemas/{schema.name}" not in files:
            schema.unlink()
    for name, text in files.items():
        (directory / name).write_text(text, encoding="utf-8")
