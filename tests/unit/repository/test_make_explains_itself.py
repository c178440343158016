import re
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[3]
INTERNAL = {"python", "run-environment", "dev-environment"}
PROMISED = {
    *("help", "setup", "run", "story", "test", "test-real", "test-all", "lint", "types"),
    *("imports", "contracts", "lock", "clean", "bench-revocation"),
}


def test_help_explains_every_target() -> None:
    """`make help` has a line with an explanation for every target that people may call."""
    listed = subprocess.run(
        ["/usr/bin/env", "make", "--no-print-directory", "help", f"PYTHON={sys.executable}"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    explained = dict(line.split(maxsplit=1) for line in listed.stdout.splitlines())
    targets = re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE)
    assert set(explained) == set(targets) - INTERNAL
    assert set(explained) >= PROMISED
    assert all(len(text) > 10 for name, text in explained.items() if name != "help")
