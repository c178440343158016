"""A process's seat in its consumer groups: the same when it is started again, and nobody else's."""

import contextlib
import re
import socket
from pathlib import Path

LONGEST = 200
"""Characters; brokers take 249 of `group.instance.id`, and hosts' names may be longer."""

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_UNFIT = re.compile(r"[^A-Za-z0-9._-]")


def seat(port: int) -> str | None:
    """The seat of the process that serves `port` on this host; None if the port is not known yet.

    Only one process can have the port at a time, and a machine's boot id tells hosts apart whose
    names are the same: two processes with one seat would turn each other out for ever.
    """
    if port == 0:
        return None
    boot = ""
    with contextlib.suppress(OSError):
        boot = _BOOT.read_text().strip()
    return f"{port}-{boot}-{_UNFIT.sub('_', socket.gethostname())}"[:LONGEST]
