"""Removes `.revocast` and what root's servers keep outside it; refuses while the system runs.

The standard library only: it works without `.venv`.
"""

import shutil
import sys
from pathlib import Path

from devstack.claims import Claim
from devstack.errors import DevstackError
from devstack.processes import leftover
from devstack.users import outside


def clean(directory: Path) -> None:
    """Remove a stack's directory.

    Raises:
        DevstackError: something runs there.
    """
    if not directory.exists():
        return
    servers = [directory / "postgres", directory / "kafka"]
    claims = [Claim(place) for place in (directory, *servers) if place.exists()]
    for claim in claims:
        claim.take()
    for pid_file in [*directory.glob("pids/*"), *(server / "pid" for server in servers)]:
        pid = leftover(pid_file)
        if pid is not None:
            raise DevstackError(
                f"process {pid} of a killed run still runs; `make run` ends it, or kill {pid}"
            )
    shutil.rmtree(outside(directory / "postgres" / "server"), ignore_errors=True)
    shutil.rmtree(directory)
    for claim in claims:
        claim.release()


if __name__ == "__main__":
    try:
        clean(Path(".revocast").absolute())
    except (DevstackError, OSError) as failure:
        sys.exit(f"clean: {failure}")
