"""How much memory the system really takes: proportional set sizes, shared pages counted once."""

import os
from pathlib import Path


def memory_mb(root: int | None = None) -> float | None:
    """PSS of a process (by default this one) and all its descendants in MB; None outside Linux."""
    if not Path("/proc/self/smaps_rollup").exists():
        return None
    return sum(_pss_kb(pid) for pid in family(root or os.getpid())) / 1024


def family(root: int) -> set[int]:
    """A process and all its descendants."""
    found, parents = {root}, _parents()
    grew = True
    while grew:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
        grew = bool(more)
    return found


def _parents() -> dict[int, int]:
    parents = {}
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            try:
                stat = (directory / "stat").read_text()
            except OSError:  # it ended meanwhile
                continue
            parents[int(directory.name)] = int(stat.rpartition(")")[2].split()[1])
    return parents


def _pss_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
