"""CPU seconds of named processes and all their children, the reaped ones included (Linux)."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(roots: Mapping[str, Iterable[int]]) -> dict[str, float]:
    """Seconds of CPU used so far, by name: of the processes given and of all their descendants.

    A child that ended counts with whoever reaped it, so nothing is lost while the roots live.
    """
    stats = {pid: stat for pid in _pids() if (stat := _stat(pid)) is not None}
    children: dict[int, list[int]] = {}
    for pid, (parent, _) in stats.items():
        children.setdefault(parent, []).append(pid)
    return {name: sum(_tree(pid, stats, children) for pid in pids) for name, pids in roots.items()}


def _tree(pid: int, stats: dict[int, tuple[int, float]], children: dict[int, list[int]]) -> float:
    own = stats[pid][1] if pid in stats else 0.0
    return own + sum(_tree(child, stats, children) for child in children.get(pid, ()))


def _pids() -> Iterable[int]:
    return (int(each.name) for each in PROC.iterdir() if each.name.isdigit())


def _stat(pid: int) -> tuple[int, float] | None:
    """Parent, and seconds in user and kernel mode with those of its reaped children (proc(5))."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return int(fields[1]), sum(int(ticks) for ticks in fields[11:15]) / TICKS
