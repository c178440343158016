"""`docker-compose.yml` on a Docker engine, used as deploy/README.md says.

Not in the default paths: `pytest tests/composed` wants an engine, Compose 2.20 or later, and the
system's ports (8400 to 8403, 19092). It has volumes of its own and removes them.
"""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from cli.demo import Demo, DemoClient, Person
from cli.story import Story
from tests.support.deadlines import until_sync
from tests.support.deploy import CHECKOUT
from tests.support.parts import docker_answers

NAMES = ("issuer", "revocation", "audit", "sample_api")
URLS = {name: f"http://localhost:{8400 + n}" for n, name in enumerate(NAMES)}
SCOPES = {"alice": "orders.read", "oscar": "audit.read"}
PASSWORD = "a long enough password"
CALLBACK = "http://localhost:3000/callback"

pytestmark = pytest.mark.skipif(not docker_answers(), reason="no Docker engine answers")


def docker(*words: str, typed: str | None = None) -> str:
    """What a command of `docker` prints; it has to end well."""
    command = ["docker", *words]
    return subprocess.run(
        command, cwd=CHECKOUT, input=typed, text=True, check=True, stdout=subprocess.PIPE
    ).stdout


def compose(*words: str, typed: str | None = None) -> str:
    """The same of `docker compose`, in a project of this test's own."""
    return docker("compose", "--project-name", "revocast-composed-test", *words, typed=typed)


def inspected(service: str) -> dict[str, Any]:
    """What the engine knows of a service's container."""
    (known,) = json.loads(docker("inspect", compose("ps", "--all", "--quiet", service).strip()))
    return dict(known)


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    """The system, with a client and two people made by its own command."""
    try:
        compose("up", "--build", "--wait")
        asked = [word for name in ("sample_api", "audit") for word in ("--resource", URLS[name])]
        asked += ["--redirect-uri", CALLBACK, "--scope", f"openid {' '.join(SCOPES.values())}"]
        run = ("run", "--rm", "--no-TTY", "revocast")
        made = json.loads(compose(*run, "clients", "create", "web", *asked))
        for name, scope in SCOPES.items():
            typed = f"{PASSWORD}\n{PASSWORD}\n"
            compose(*run, "users", "create", name, "--scope", scope, typed=typed)
        web = DemoClient(scope="", redirect_uri=CALLBACK, **made)
        alice, oscar = (Person(username=name, password=PASSWORD) for name in SCOPES)
        yield Demo(
            issuer=URLS["issuer"],
            urls=URLS,
            kafka_bootstrap="localhost:19092",
            clients={"web": web},
            user=alice,
            operator=oscar,
            login_fields={"username": "username", "password": "password"},
        )
    finally:
        compose("down", "--volumes")


def play(demo: Demo) -> None:
    """The story; it raises where a step does not happen."""
    with httpx.Client(timeout=10) as http:
        Story(demo, lambda step: None, http).play()


def test_the_story_happens_in_containers(demo: Demo) -> None:
    """Sign-in, calls, refreshes, a theft, its denial at the sample API and its record."""
    play(demo)


@pytest.mark.parametrize("service", ["issuer", "revocation", "audit", "sample-api"])
def test_a_container_is_nobody_on_a_read_only_file_system(demo: Demo, service: str) -> None:
    """The engine runs it as 10001, without capabilities, and its root can't be written."""
    status = compose("exec", "--no-TTY", service, "cat", "/proc/self/status")
    lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert lines["Uid"].split() == ["10001"] * 4
    assert int(lines["CapEff"], 16) == int(lines["CapBnd"], 16) == 0
    assert lines["NoNewPrivs"] == "1"
    assert inspected(service)["HostConfig"]["ReadonlyRootfs"] is True


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can kill a container's process from here")
def test_a_killed_issuer_comes_back(demo: Demo) -> None:
    """The engine starts it again, and the story can be played again."""
    os.kill(inspected("issuer")["State"]["Pid"], signal.SIGKILL)
    until_sync(lambda: inspected("issuer")["RestartCount"] == 1, seconds=60)
    until_sync(lambda: inspected("issuer")["State"]["Health"]["Status"] == "healthy", seconds=60)
    play(demo)


def test_what_it_knows_outlives_its_containers(demo: Demo) -> None:
    """Removed and started anew, it knows the client and the people, and its secrets still fit."""
    compose("down")
    compose("up", "--wait")
    play(demo)
