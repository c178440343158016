"""`.revocast/demo.json`: what the demo consists of, as `docs/demo.schema.json` describes it."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from devstack.stack import DIRECTORY

PATH = DIRECTORY / "demo.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoClient:
    """One demo client; public ones have no secret, and `machine` and `api` no redirect URI."""

    client_id: str
    scope: str
    client_secret: str | None = None
    redirect_uri: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A demo account's name and password."""

    username: str
    password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """The whole file."""

    issuer: str
    urls: dict[str, str]
    kafka_bootstrap: str
    clients: dict[str, DemoClient]
    user: Person
    operator: Person
    login_fields: dict[str, str]

    def write(self, path: Path) -> None:
        """Write it so that only its owner can read it; whole or not at all."""
        text = json.dumps(asdict(self, dict_factory=_without_none), indent=2) + "\n"
        new = path.with_suffix(".new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        new.replace(path)


def read(path: Path) -> Demo:
    """The file of a running demo.

    Raises:
        FileNotFoundError: nothing runs.
    """
    raw: dict[str, Any] = json.loads(path.read_text())
    return Demo(
        issuer=raw["issuer"],
        urls=raw["urls"],
        kafka_bootstrap=raw["kafka_bootstrap"],
        clients={name: DemoClient(**client) for name, client in raw["clients"].items()},
        user=Person(**raw["user"]),
        operator=Person(**raw["operator"]),
        login_fields=raw["login_fields"],
    )


def _without_none(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in pairs if value is not None}
