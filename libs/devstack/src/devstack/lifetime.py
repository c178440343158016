"""The process ends in order on Ctrl-C, SIGTERM and hang-up, and when its parent is gone."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

LOOK_EVERY_SECONDS = 0.5
FOLLOW = "REVOCAST_END_WITH_PARENT"
"""Set to 1 (as `make run` does), a killed parent ends us too."""


@contextmanager
def ends_in_order() -> Iterator[None]:
    """While it lasts, SIGTERM and SIGHUP raise SystemExit and SIGINT KeyboardInterrupt.

    Only in the main thread. So every `finally` and `__exit__` on the way runs, once: after the
    first, further SIGTERMs are ignored, and only Ctrl-C interrupts the ending itself.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    before[signal.SIGINT] = signal.getsignal(signal.SIGINT)
    # A shell starts background jobs with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    if os.environ.get(FOLLOW) == "1":
        threading.Thread(target=_follow, args=[os.getppid()], daemon=True).start()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, frame: FrameType | None) -> None:
    for ignored in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    raise SystemExit(128 + number)


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
