import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.claims import Claim
from devstack.clean import clean
from devstack.errors import DevstackError
from devstack.postgres import Postgres
from devstack.users import outside

CHECKOUT = Path(__file__).parents[3]
WITHOUT_ENSUREPIP = """
import runpy, sys
sys.modules["ensurepip"] = None
sys.path.insert(0, "libs/devstack/src")
sys.argv = ["bootstrap", "run"]
runpy.run_module("devstack.bootstrap", run_name="__main__")
"""


@pytest.fixture
def checkout(directory: Path) -> Path:
    """What the first seconds of `make run` need, without an environment."""
    for name in ("libs/devstack/src", "requirements"):
        shutil.copytree(CHECKOUT / name, directory / name)
    shutil.copy(CHECKOUT / "Makefile", directory)
    return directory


def answer(command: list[str], checkout: Path, **environment: str) -> tuple[int, str]:
    """Exit status and all that was said."""
    told = subprocess.run(
        command,
        cwd=checkout,
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return told.returncode, told.stdout


def test_a_missing_ensurepip_names_the_package(checkout: Path) -> None:
    """Without ensurepip the package to install is named, and no environment is left behind."""
    status, said = answer([sys.executable, "-c", WITHOUT_ENSUREPIP], checkout)
    assert status == 1
    assert "install the package python3-venv" in said
    assert len(said.splitlines()) == 1
    assert not (checkout / ".venv").exists()


def test_a_python_that_is_too_old_is_refused(checkout: Path) -> None:
    """`make run` with an older Python says which one it needs."""
    old = checkout / "old-python"
    old.write_text(
        f'#!/bin/sh\nexec {sys.executable} -c "import sys; sys.version_info = (3, 10, 1); $2"\n'
    )
    old.chmod(0o755)
    status, said = answer(["make", "run", f"PYTHON={old}"], checkout)
    assert status != 0
    assert "Revocast needs Python 3.11 or later, this is 3.10" in said


def test_no_network_is_one_clear_line(checkout: Path) -> None:
    """Without a way to the package index the line says so."""
    status, said = answer(
        ["make", "run", f"PYTHON={sys.executable}"],
        checkout,
        HTTPS_PROXY="http://127.0.0.1:9",
        PIP_RETRIES="1",
    )
    assert status != 0
    assert "the Python package index cannot be reached" in said


def test_a_disk_that_fills_up_is_one_clear_line(checkout: Path) -> None:
    """While the environment is made: which disk it is, and what to do."""
    logs = checkout / ".revocast" / "logs"
    logs.mkdir(parents=True)
    (logs / "setup.log").symlink_to("/dev/full")
    status, said = answer(["make", "run", f"PYTHON={sys.executable}"], checkout)
    assert status != 0
    assert f"setup: no space left on the disk of {checkout}: free some and start again" in said
    assert "Traceback" not in said


def test_a_full_disk_is_one_clear_line_for_a_claim(directory: Path) -> None:
    """The first byte that a start writes says the same, and the directory is nobody's then."""
    (directory / "lock").symlink_to("/dev/full")
    claim = Claim(directory)
    for _ in range(2):
        with pytest.raises(DevstackError, match=f"no space left on the disk of {directory}; free"):
            claim.take()


def test_clean_leaves_a_running_system_alone(checkout: Path) -> None:
    """`make clean` refuses while somebody holds `.revocast`, and removes it afterwards."""
    state = checkout / ".revocast"
    hold = "from devstack.claims import Claim; from pathlib import Path; import sys\n"
    hold += "Claim(Path('.revocast')).take(); print('held', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", hold], cwd=checkout, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    make = ["make", "clean", f"PYTHON={sys.executable}"]
    status, said = answer(make, checkout)
    assert status != 0
    assert f"in use by process {holder.pid}" in said
    assert state.exists()
    holder.communicate()
    assert answer(make, checkout)[0] == 0
    assert not state.exists()


def test_a_closed_home_is_no_obstacle(directory: Path) -> None:
    """Where no other user may enter, root still gets its PostgreSQL; `make clean` takes it all."""
    home = directory / "home"
    home.mkdir(mode=0o700)
    state = home / ".revocast"
    server = Postgres(state / "postgres")
    server.start()
    try:
        assert server.alive()
    finally:
        server.stop()
    clean(state)
    assert not state.exists()
    assert not outside(state / "postgres" / "server").exists()
