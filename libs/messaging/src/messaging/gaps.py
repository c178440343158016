"""Which outbox ids are still to come: ids are drawn at insert, rows appear at commit."""

from collections.abc import Collection, Iterable

EDGE = 100_000
"""Ids watched at each end of a jump of the sequence: somebody may set it forward by billions, and
a transaction that runs then holds an id near one of the ends."""


class Gaps:
    """`high` is the highest id seen; `missing` are lower ones that were not seen.

    Each missing id goes with a bound: a transaction id given out after the gap was noticed, None
    until there is one. Whoever drew the missing id had its own transaction id before that, so a
    lower one (the outbox's default sees to it). Once a snapshot shows that every transaction below
    the bound has ended, and the row is still not there, it never will be. The xmax of the snapshot
    that noticed the gap is no such bound: transactions that run already may stand above it.
    """

    def __init__(
        self, high: int = 0, missing: Iterable[int] = (), bound: int | None = None
    ) -> None:
        self.high = high
        self._missing: dict[int, int | None] = dict.fromkeys(missing, bound)

    @property
    def missing(self) -> list[int]:
        """The ids to look for again, in order."""
        return sorted(self._missing)

    def see(self, ids: Collection[int], *, xmin: int) -> None:
        """Take in a snapshot that showed these ids; its oldest running transaction is xmin."""
        for seen in ids:
            self._missing.pop(seen, None)
        ended = [gap for gap, bound in self._missing.items() if bound is not None and xmin >= bound]
        for gap in ended:
            del self._missing[gap]
        highest = max(ids, default=self.high)
        if highest > self.high:
            shown = set(ids)
            self._missing.update((gap, None) for gap in self._between(highest) if gap not in shown)
            self.high = highest

    def bound_by(self, xid: int) -> None:
        """Note a transaction id that was given out after all of these gaps were noticed."""
        for gap, bound in self._missing.items():
            if bound is None:
                self._missing[gap] = xid

    def _between(self, highest: int) -> Iterable[int]:
        between = range(self.high + 1, highest)
        if len(between) <= 2 * EDGE:
            return between
        return (*between[:EDGE], *between[-EDGE:])
