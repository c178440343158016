"""Locks all dependencies again in `requirements/*.txt`: every file by its SHA-256, no address.

Needs the network; uv comes from the package index into an environment that is thrown away.
"""

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[4]
MEMBERS = sorted(
    file
    for pattern in ("contracts", "libs/*", "services/*")
    for file in CHECKOUT.glob(f"{pattern}/pyproject.toml")
)
OPTIONS = (
    *("--universal", "--python-version", "3.11", "--extra", "fastapi"),
    *("--generate-hashes", "--no-header", "--no-annotate", "--quiet"),
)


def main() -> None:
    """Write both locks; the smaller one takes its versions from the larger."""
    with tempfile.TemporaryDirectory() as place:
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        subprocess.run([f"{place}/bin/python", "-m", "pip", "install", "-q", "uv"], check=True)
        uv = f"{place}/bin/uv"
        lock(uv, "dev", "--group", "pyproject.toml:dev", "--group", "pyproject.toml:run")
        lock(uv, "run", "-c", "requirements/dev.txt", "--group", "pyproject.toml:run")


def lock(uv: str, name: str, *options: str) -> None:
    """Write one of them."""
    members = [str(file.relative_to(CHECKOUT)) for file in MEMBERS]
    own = [tomllib.loads(file.read_text())["project"]["name"] for file in MEMBERS]
    left_out = [word for each in own for word in ("--no-emit-package", each)]
    output = ["-o", f"requirements/{name}.txt"]
    command = [uv, "pip", "compile", *OPTIONS, *left_out, *options, *members, *output]
    subprocess.run(command, check=True, cwd=CHECKOUT)


if __name__ == "__main__":
    main()
