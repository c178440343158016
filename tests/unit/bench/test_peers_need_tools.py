import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]


@pytest.mark.parametrize(("system", "install"), [("hydra", "Go 1.23"), ("keycloak", "a JDK")])
def test_a_missing_tool_is_one_line_that_says_what_to_install(
    system: str, install: str, tmp_path: Path
) -> None:
    """Without Go or a JDK on the PATH nothing is started, and nobody has to read a traceback."""
    ended = subprocess.run(
        [sys.executable, "-m", "bench.peers", "--only", system],
        cwd=CHECKOUT,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    told = ended.stderr.splitlines()
    assert ended.returncode == 1
    assert len(told) == 1
    assert f"install {install}" in told[0]
