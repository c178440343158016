"""`.revocast/demo.json` and `docs/demo.schema.json`."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cli.demo import read
from tests.support.system import System

CHECKOUT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """The published description."""
    schema: dict[str, Any] = json.loads((CHECKOUT / "docs/demo.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


def test_a_real_file_validates_and_reads_back(
    system: System, schema: dict[str, Any], tmp_path: Path
) -> None:
    """What a running system writes is what the schema says, and what our own reader gets."""
    file = tmp_path / "demo.json"
    system.demo.write(file)
    jsonschema.validate(json.loads(file.read_text()), schema)
    assert read(file) == system.demo


def test_only_its_owner_can_read_it(system: System, tmp_path: Path) -> None:
    """0600 also where an older one was open to all; nothing else is left beside it."""
    file = tmp_path / "demo.json"
    file.touch(mode=0o644)
    system.demo.write(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["demo.json"]


@pytest.mark.parametrize(
    ("client", "has"),
    [
        ("web", {"client_secret", "redirect_uri"}),
        ("web2", {"client_secret", "redirect_uri"}),
        ("spa", {"redirect_uri"}),
        ("native", {"redirect_uri"}),
        ("machine", {"client_secret"}),
        ("api", {"client_secret"}),
    ],
)
def test_each_demo_client_has_what_its_kind_has(system: System, client: str, has: set[str]) -> None:
    """Secrets only for those who can keep one, redirect URIs only for those who send people."""
    made = system.demo.clients[client]
    optional = {"client_secret": made.client_secret, "redirect_uri": made.redirect_uri}
    assert {name for name, value in optional.items() if value is not None} == has
    if client == "native":
        assert made.redirect_uri == "http://127.0.0.1/callback"


@pytest.mark.parametrize("missing", ["issuer", "urls", "clients", "operator", "login_fields"])
def test_the_schema_refuses_half_a_file(
    system: System, schema: dict[str, Any], tmp_path: Path, missing: str
) -> None:
    """A schema that everything passes would say nothing."""
    file = tmp_path / "demo.json"
    system.demo.write(file)
    whole = json.loads(file.read_text())
    del whole[missing]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(whole, schema)
