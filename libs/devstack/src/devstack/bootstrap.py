"""Makes `.venv` (or VENV_DIR) from a hashed lock with nothing but Python.

`python3 -m devstack.bootstrap run|dev` with `libs/devstack/src` on PYTHONPATH and the standard
library only, since nothing else is there yet. A second call with nothing changed is
instant. What goes wrong is one line on stderr, and an exit status that is not 0.
"""

import errno
import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[4]
VENV = CHECKOUT / os.environ.get("VENV_DIR", ".venv")
PYTHON = VENV / "bin" / "python"
LOG = CHECKOUT / ".revocast" / "logs" / "setup.log"
MEMBERS = ("contracts", "libs/*", "services/*")
NEEDED_MB = 1000
"""Of disk: wheels while they are unpacked, PostgreSQL, a JRE, our dependencies."""
SAY_EVERY_SECONDS = 3.0
NO_SPACE = f"no space left on the disk of {CHECKOUT}: free some and start again"
NO_NETWORK = (
    "NewConnectionError", "NameResolutionError", "Temporary failure", "Name or service not known",
    "Network is unreachable", "ConnectTimeout", "Connection refused", "ProxyError", "Max retries",
)  # fmt: skip


class SetupError(Exception):
    """One line that says what to do."""


def main(kind: str) -> None:
    """Bring the environment up to date for running (`run`) or developing (`dev`)."""
    os.chdir(CHECKOUT)
    wanted = {name: fingerprint(name) for name in ("run", "dev")}
    if PYTHON.exists() and any(done(name, wanted[name]) for name in {kind, "dev"}):
        return
    LOG.parent.mkdir(parents=True, exist_ok=True)
    LOG.write_text("")
    if not PYTHON.exists():
        make_venv()
    if not list(VENV.glob("lib/python*/site-packages/pip")):  # an interrupted start
        run([str(PYTHON), "-m", "ensurepip"])
    requirements = f"requirements/{kind}.txt"
    total = len(re.findall(r"^\S+==", Path(requirements).read_text(), re.MULTILINE))
    options = ["--require-hashes", "--no-deps", "-r", requirements]
    pip(options, f"installing Python packages ({requirements})", total)
    members = [str(file.parent) for file in member_files()]
    editable = [word for member in members for word in ("-e", f"./{member}")]
    pip(["--no-deps", "--no-build-isolation", *editable], "installing Revocast", len(members))
    stamp(kind).write_text(wanted[kind])


def member_files() -> list[Path]:
    return [file for glob in MEMBERS for file in sorted(Path().glob(f"{glob}/pyproject.toml"))]


def stamp(kind: str) -> Path:
    return VENV / f"revocast-{kind}.stamp"


def done(kind: str, wanted: str) -> bool:
    return stamp(kind).exists() and stamp(kind).read_text() == wanted


def fingerprint(kind: str) -> str:
    """Changes when the environment has to: the lock, our members, or where the checkout lies."""
    digest = hashlib.sha256(f"{CHECKOUT}\n".encode())
    digest.update(Path(f"requirements/{kind}.txt").read_bytes())
    for file in member_files():
        digest.update(file.read_bytes())
    return digest.hexdigest()


def make_venv() -> None:
    if any(importlib.util.find_spec(name) is None for name in ("venv", "ensurepip")):
        version = ".".join(map(str, sys.version_info[:2]))
        raise SetupError(
            "this Python lacks ensurepip: install the package python3-venv (Debian and Ubuntu: "
            f"apt install python{version}-venv) and start again"
        )
    free = os.statvfs(CHECKOUT)
    free_mb = free.f_bavail * free.f_frsize // 1_000_000
    if free_mb < NEEDED_MB:
        raise SetupError(
            f"only {free_mb} MB are free on the disk of {CHECKOUT}, {NEEDED_MB} are needed: "
            "free some and start again"
        )
    say(f"making {VENV.relative_to(CHECKOUT)}")
    run([sys.executable, "-m", "venv", str(VENV)])


def pip(arguments: list[str], what: str, total: int) -> None:
    """Run pip and show how far it is."""
    seen, said = 0, 0.0
    say(what)
    command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    environment = {**os.environ, "PIP_ROOT_USER_ACTION": "ignore", "PYTHONUNBUFFERED": "1"}
    with LOG.open("a") as log:
        child = subprocess.Popen(
            [*command, *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for line in child.stdout or ():
            log.write(line)
            if line.startswith(("Collecting ", "Obtaining ", "Requirement already")):
                seen += 1
            if line.startswith("Installing "):
                say("  unpacking", passing=True)
            elif line.startswith("Collecting ") and time.monotonic() > said:
                said = time.monotonic() + (0 if sys.stdout.isatty() else SAY_EVERY_SECONDS)
                name = line.split()[1].split("==")[0]
                say(f"  {seen} of {total}: {name}", passing=True)
    if child.wait() != 0:
        raise SetupError(explain(LOG.read_text()))


def run(command: list[str]) -> None:
    with LOG.open("a") as log:
        done = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise SetupError(explain(LOG.read_text()))


def explain(log: str) -> str:
    """One line for what pip or venv said."""
    if "No space left on device" in log:
        return NO_SPACE
    if any(word in log for word in NO_NETWORK):
        return "the Python package index cannot be reached: connect to the network and start again"
    missing = re.search(r"No matching distribution found for (\S+)", log)
    if missing:
        return (
            f"there is no {missing[1]} for this system: Linux with glibc (x86_64, aarch64) and "
            f"macOS (arm64) with Python 3.11 or later will do ({LOG})"
        )
    errors = [line for line in log.splitlines() if "ERROR" in line or "Error" in line]
    return f"{(errors or ['installing failed'])[-1].strip()} ({LOG})"


def say(line: str, *, passing: bool = False) -> None:
    """Print a line; on a terminal a passing one is overwritten by the next."""
    if sys.stdout.isatty():
        sys.stdout.write(f"\r\033[K{line}" + ("" if passing else "\n"))
    else:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except OSError as failure:
        sys.exit(f"setup: {NO_SPACE if failure.errno == errno.ENOSPC else failure}")
    except SetupError as failure:
        sys.exit(f"setup: {failure}")
    except KeyboardInterrupt:
        sys.exit("setup: interrupted; start again to go on")
