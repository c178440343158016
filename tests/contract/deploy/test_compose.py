import re
from typing import Any

import pytest

from tests.support.deploy import CHECKOUT, SETTINGS, compose
from tests.support.kafka import IMAGE as KAFKA_IMAGE

SERVICES: dict[str, Any] = compose()["services"]
OURS = {n: s for n, s in SERVICES.items() if s["image"].startswith("revocast-")}


def _volumes(name: str) -> dict[str, str]:
    """Volume or path -> where it is mounted."""
    mounted = [volume.split(":")[:2] for volume in SERVICES[name].get("volumes", [])]
    return dict(mounted)


def test_the_images_of_others_are_named_by_version() -> None:
    """Kafka is the one that the tests know; Postgres and Python are pinned to a major version."""
    assert SERVICES["kafka"]["image"] == KAFKA_IMAGE
    assert SERVICES["postgres"]["image"] == "postgres:18"
    assert all(re.fullmatch(r"[\w/-]+(:\d[\w.-]*)?", s["image"]) for s in SERVICES.values())


def test_every_image_of_ours_is_built_by_some_service() -> None:
    """Nothing of ours has to be pulled, and no profile has to be chosen to build it."""
    built = {s["image"]: s["build"] for s in OURS.values() if "build" in s and "profiles" not in s}
    assert {s["image"] for s in OURS.values()} == set(built)
    for build in built.values():
        assert (CHECKOUT / build["dockerfile"]).exists()


@pytest.mark.parametrize("name", [*OURS, "secrets", "postgres"])
def test_containers_are_hardened(name: str) -> None:
    """No writable image, no capability, no new privilege."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == (["CHOWN"] if name == "secrets" else [])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["tmpfs"][0] == "/tmp"  # noqa: S108 - the container's own
    assert "privileged" not in service


def test_ports_are_open_on_this_machine_only() -> None:
    """Everything that is published is published on loopback."""
    published = [port for s in SERVICES.values() for port in s.get("ports", [])]
    assert len(published) == 5
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_a_broken_container_is_soon_called_broken() -> None:
    """Starting may take a minute or two; afterwards three failed probes are told within 30 s."""
    checks = {n: s["healthcheck"] for n, s in SERVICES.items() if "healthcheck" in s}
    lasting = {n for n, s in SERVICES.items() if s.get("restart") == "unless-stopped"}
    assert set(checks) == lasting
    for check in checks.values():
        interval, timeout, start = (
            int(re.fullmatch(r"(\d+)s", check[name])[1])  # type: ignore[index]  # None fails it
            for name in ("interval", "timeout", "start_period")
        )
        assert check["retries"] * (interval + timeout) <= 30
        assert start >= 60


def test_what_is_waited_for_is_there_and_can_happen() -> None:
    """Every condition names a service that can meet it; what runs once is not restarted."""
    for service in SERVICES.values():
        for name, waited in service.get("depends_on", {}).items():
            once = waited["condition"] == "service_completed_successfully"
            assert once or "healthcheck" in SERVICES[name]
            assert not once or SERVICES[name].get("restart", "no") in {"no", "on-failure"}


@pytest.mark.parametrize("service", SETTINGS)
def test_a_service_starts_after_its_migrations_and_topics(service: str) -> None:
    """Migrations run once, with the owner's password; then the service, which never sees it."""
    migrate = SERVICES[f"{service}-migrate"]
    assert migrate["command"] == ["migrate"]
    assert set(SERVICES[service]["depends_on"]) == {"postgres", "topics", f"{service}-migrate"}
    assert _volumes(f"{service}-migrate")["owner-secrets"] == "/secrets/owner"
    assert "owner-secrets" not in _volumes(service)


def test_each_secret_is_mounted_by_its_readers_only() -> None:
    """Nobody but its maker and its reader mounts a volume of secrets, and readers cannot write."""
    declared = set(compose()["volumes"])
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source.startswith("./") or source in declared
            if not source.endswith("-secrets") or name == "secrets":
                continue
            assert volume.endswith(":ro")
            reader = source.removesuffix("-secrets")
            allowed = {reader, f"{reader}-migrate"} | (
                {"revocast"} if reader == "issuer" else set()
            )
            migrations = {f"{each}-migrate" for each in SETTINGS}
            others = {"owner": migrations, "admin": {"revocast"}}
            assert name in others.get(reader, allowed)


def test_no_secret_stands_in_the_file() -> None:
    """The file has no password, key or DSN, only the names of files."""
    text = (CHECKOUT / "docker-compose.yml").read_text()
    assert not re.search(r"postgres(ql)?://", text)
    for line in text.splitlines():
        if re.search(r"(?i)(password|_key|mac_keys|database_url)\w*:", line):
            assert re.search(r"_FILE: /secrets/", line), line
