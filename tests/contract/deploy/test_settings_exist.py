import importlib.util
import os
import runpy
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import SecretStr

from servicekit.settings import ServiceSettings
from tests.support.deploy import (
    CHECKOUT,
    DOCKERFILES,
    KUBERNETES,
    OVERLAYS,
    SETTINGS,
    compose,
    environment,
    kustomized,
    pod_of,
)

KEY = b64encode(bytes(32)).decode()
SECRETS = {
    "database_url": "postgresql://someone@somewhere/database",
    "admin_database_url": "postgresql://admin@somewhere/database",
    "reader_database_url": "postgresql://reader@somewhere/database",
    "migration_database_url": "postgresql://owner@somewhere/database",
    "key_encryption_key": KEY,
    "refresh_mac_keys": f"k1:{KEY}",
    "cookie_key": KEY,
    "personal_data_hash_key": KEY,
}


def _given() -> dict[str, tuple[str, dict[str, str]]]:
    """Where -> (service, the environment that its process gets there)."""
    found = {}
    for name, service in compose()["services"].items():
        given = service.get("environment", {})
        settings = {key for key in given if key.startswith("REVOCAST_")}
        for of in SETTINGS:
            if any(key.startswith(_prefix(of)) for key in settings):
                found[f"compose/{name}"] = (of, given)
    for path in (KUBERNETES / "base", *(KUBERNETES / "overlays" / name for name in OVERLAYS)):
        objects = kustomized(path)
        for each in objects:
            of = each["metadata"]["name"].partition("-")[0]
            if pod_of(each) and of in SETTINGS:
                where = f"{path.name}/{each['kind']}/{each['metadata']['name']}"
                found[where] = (of, environment(each, objects))
    return found


def _prefix(service: str) -> str:
    return f"REVOCAST_{service.upper()}_"


GIVEN = _given()


def test_every_place_is_looked_at() -> None:
    """Compose has a process and a migration per service and the command, each build four kinds."""
    assert len([where for where in GIVEN if where.startswith("compose/")]) == 7
    assert len(GIVEN) == 7 + 3 * 6


@pytest.mark.parametrize("where", GIVEN)
def test_every_setting_exists(where: str) -> None:
    """Each name is a setting of that service; `_FILE` is for secrets, and these have no other."""
    service, given = GIVEN[where]
    for name in given:
        assert name.startswith(_prefix(service)), name
        _check(SETTINGS[service], name.removeprefix(_prefix(service)))


@pytest.mark.parametrize("service", DOCKERFILES)
def test_the_images_own_settings_exist(service: str) -> None:
    """An image sets only where it listens."""
    names = [n for n in DOCKERFILES[service].environment if n.startswith("REVOCAST_")]
    assert names == [f"{_prefix(service)}HOST", f"{_prefix(service)}PORT"]
    for name in names:
        _check(SETTINGS[service], name.removeprefix(_prefix(service)))


def _check(settings: type[ServiceSettings], name: str) -> None:
    secret = name.endswith("_FILE")
    field = settings.model_fields[name.removesuffix("_FILE").lower()]
    kinds = getattr(field.annotation, "__args__", (field.annotation,))
    assert (SecretStr in kinds) is secret, name


@pytest.mark.parametrize("where", GIVEN)
def test_the_settings_are_complete_and_accepted(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With these settings, and any secrets, the process starts: nothing is missing or malformed."""
    service, given = GIVEN[where]
    for name in [name for name in os.environ if name.startswith("REVOCAST_")]:
        monkeypatch.delenv(name)
    for name, value in _with_secrets(given, _prefix(service), tmp_path).items():
        monkeypatch.setenv(name, value)
    settings = SETTINGS[service]()
    assert settings.model_fields_set >= {"url", "database_url", "kafka_bootstrap"}
    migrates = where.endswith(("-migrate", "-migration"))
    assert ("migration_database_url" in settings.model_fields_set) is migrates


def _with_secrets(given: Mapping[str, str], prefix: str, directory: Path) -> dict[str, str]:
    environment = {}
    for name, value in given.items():
        if name.endswith("_FILE"):
            file = directory / name
            file.write_text(SECRETS[name.removeprefix(prefix).removesuffix("_FILE").lower()])
            environment[name] = str(file)
        else:
            environment[name] = str(value)
    return environment


def test_compose_finds_every_secret_that_is_made() -> None:
    """Each file that compose names is made, for that reader; each that is made is read."""
    made = runpy.run_path(str(CHECKOUT / "deploy/compose/make_secrets.py"))["make"]()
    named = {
        value.removeprefix("/secrets/")
        for where, (_, given) in GIVEN.items()
        if where.startswith("compose/")
        for name, value in given.items()
        if name.endswith("_FILE")
    }
    known = {f"{reader}/{name}" for reader in made for name in made[reader]}
    assert named == {path for path in known if not path.startswith("postgres/")}
    databases = (CHECKOUT / "deploy/compose/databases.sql").read_text()
    for name in made["postgres"]:
        used = f"/secrets/postgres/{name}"
        assert used in databases or used in str(compose()["services"]["postgres"])


def test_secrets_are_strong_and_made_anew() -> None:
    """No two makings share a secret, and none is short."""
    make = runpy.run_path(str(CHECKOUT / "deploy/compose/make_secrets.py"))["make"]
    first, second = make(), make()
    for reader, named in first.items():
        for name, secret in named.items():
            assert len(secret) >= 32
            assert secret != second[reader][name]
    assert (
        first["issuer"]["personal_data_hash_key"] == (first["revocation"]["personal_data_hash_key"])
    )


@pytest.mark.parametrize("service", SETTINGS)
def test_the_module_that_an_image_runs_exists(service: str) -> None:
    """`python -m <service>` is there to be run."""
    assert importlib.util.find_spec(f"{service}.__main__")
