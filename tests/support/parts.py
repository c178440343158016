"""Which servers a test session runs against, and a word on why."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

REAL = "real"


def chosen() -> str:
    """`embedded` (ours) or `real`, by REVOCAST_TEST_PARTS."""
    parts = os.environ.get("REVOCAST_TEST_PARTS", "embedded")
    if parts not in {"embedded", REAL}:
        raise ValueError(f"REVOCAST_TEST_PARTS is embedded or real, not {parts!r}")
    return parts


@cache
def docker_answers() -> bool:
    """Whether a Docker engine really answers; a client on PATH proves nothing."""
    docker = shutil.which("docker")
    if docker is None:
        return False
    try:
        asked = subprocess.run([docker, "info"], capture_output=True, check=False, timeout=20)
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


@cache
def image_can_be_had(image: str) -> bool:
    """Whether the engine has the image or can pull it."""
    if not docker_answers():
        return False
    docker = shutil.which("docker") or "docker"
    for command in (["image", "inspect", image], ["pull", "--quiet", image]):
        try:
            asked = subprocess.run(
                [docker, *command], capture_output=True, check=False, timeout=300
            )
        except subprocess.TimeoutExpired:
            return False
        if asked.returncode == 0:
            return True
    return False


def system_postgres() -> Path | None:
    """The `bin` directory of the newest PostgreSQL that the system has, if any."""
    found = [
        (float(binary.parts[-3]), binary.parent)
        for binary in Path("/usr/lib/postgresql").glob("*/bin/postgres")
        if int(float(binary.parts[-3])) >= 15
    ]
    return max(found)[1] if found else None
