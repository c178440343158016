"""Runs a command whose life is tied to the process that started it, even when that is killed.

A program of its own, standard library only: `tie.py PARENT SIGNAL UID GID FD COMMAND...`.
UID and GID -1 keep the user; FD -1 asks the kernel to tie (Linux), else FD is a pipe that closes
when the parent is gone (everywhere).
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
LET_GO_SECONDS = 30.0


def main(arguments: list[str]) -> int:
    parent, number, uid, gid, pipe = (int(argument) for argument in arguments[:5])
    _become(uid, gid)
    if pipe >= 0:
        return _watch(pipe, number, arguments[5:])
    # After the change of user, which would clear it; survives exec.
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:  # it died before we were tied
        return 1
    os.execv(arguments[5], arguments[5:])  # noqa: S606 -- the purpose of this program
    return 1


def _become(uid: int, gid: int) -> None:
    if uid < 0:
        return
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def _watch(pipe: int, number: int, command: list[str]) -> int:
    child = subprocess.Popen(command)
    for forwarded in (signal.SIGTERM, signal.SIGINT):
        signal.signal(forwarded, lambda got, _: child.send_signal(got))
    while child.poll() is None:
        if select.select([pipe], [], [], 0.1)[0]:
            return _end(child, number)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _end(child: "subprocess.Popen[bytes]", number: int) -> int:
    child.send_signal(number)
    until = time.monotonic() + LET_GO_SECONDS
    while child.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        child.kill()
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
