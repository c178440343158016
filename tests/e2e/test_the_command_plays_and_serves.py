"""`make run` and `make story` below make: what they print last, what they leave, how they end."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from devstack.ports import LOOPBACK, free_port
from tests.support import kafka as kafka_parts
from tests.support import postgres as postgres_parts
from tests.support.deadlines import until_sync

CHECKOUT = Path(__file__).parents[2]
"""Where the sample API is, which make starts from."""

FIGURES = {"reuse_to_denied_ms", "reuse_to_audited_ms", "ready_s", "memory_mb"}
LAST = re.compile(r"story: ok (\{.*\})")


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[Path, dict[str, str]]]:
    """An empty directory and the environment of servers that are there already."""
    with tempfile.TemporaryDirectory(prefix="revocast-command-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        with (
            postgres_parts.server(directory / "postgres") as postgres,
            kafka_parts.server(directory / "kafka") as kafka,
        ):
            servers = {
                "REVOCAST_DATABASE_URL": postgres.dsn,
                "REVOCAST_KAFKA_BOOTSTRAP": kafka.bootstrap,
            }
            yield directory, {**os.environ, **servers, "PYTHONPATH": str(CHECKOUT)}


def other_ports() -> dict[str, str]:
    names = ("ISSUER", "REVOCATION", "AUDIT", "SAMPLE_API")
    return {f"REVOCAST_{name}_PORT": str(free_port()) for name in names}


def started(
    place: tuple[Path, dict[str, str]], command: str, ports: dict[str, str]
) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "cli", command],
        cwd=place[0],
        env={**place[1], **ports},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_it_serves_until_ctrl_c_and_goes_on_at_other_ports(
    place: tuple[Path, dict[str, str]],
) -> None:
    """The demo is described while it runs; the next start has other addresses, and works."""
    path = place[0] / ".revocast/demo.json"
    up = started(place, "up", other_ports())
    try:
        assert up.stdout is not None
        told = []
        for line in up.stdout:
            told.append(line)
            if line.startswith("serving"):
                break
        assert "".join(told).count("\nserving"), told
        demo = json.loads(path.read_text())
        assert path.stat().st_mode & 0o777 == 0o600
        assert httpx.get(f"{demo['urls']['sample_api']}/public").status_code == 200
    finally:
        up.send_signal(signal.SIGINT)
        up.communicate(timeout=60)
    assert LAST.search("".join(told))
    assert not path.exists()
    until_sync(lambda: not any(map(_answers, demo["urls"].values())))

    story = started(place, "story", other_ports())
    lines = story.communicate(timeout=120)[0].splitlines()
    last = LAST.fullmatch(lines[-1])
    assert story.returncode == 0, lines
    assert last is not None, lines
    assert set(json.loads(last[1])) == FIGURES


def test_a_story_that_cannot_begin_says_so_in_its_last_line(
    place: tuple[Path, dict[str, str]],
) -> None:
    """One line, with what to do about it."""
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = {"REVOCAST_ISSUER_PORT": str(taken.getsockname()[1])}
        story = started(place, "story", {**other_ports(), **port})
        lines = story.communicate(timeout=120)[0].splitlines()
    assert story.returncode == 1
    said = re.fullmatch(r"story: failed: start: .*REVOCAST_ISSUER_PORT.* (\{.*\})", lines[-1])
    assert said is not None, lines
    assert json.loads(said[1]) == dict.fromkeys(FIGURES)


def _answers(url: str) -> bool:
    try:
        httpx.get(f"{url}/livez", timeout=1)
    except httpx.HTTPError:
        return False
    return True
