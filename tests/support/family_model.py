"""The family table of design 4, written down once: what a family answers, keeps, tells, and proves.

It knows no SQL, event or detector. Times are milliseconds of one clock, given by the caller.
"""

from dataclasses import dataclass, field

MOST_REPLAYS = 3
TOLD_EVERY_MS = 60_000


@dataclass(frozen=True, slots=True)
class Told:
    """One event: its name, its figures, and the detector's rules that it proves."""

    name: str
    figures: tuple[int | str, ...]
    proves: frozenset[str] = frozenset()


@dataclass(slots=True, kw_only=True)
class FamilyModel:
    """One family. `grace_ms` and `idle_ms` are its client's."""

    grace_ms: int
    idle_ms: int
    started_at: float
    idle_expires_at: float
    absolute_expires_at: float
    rotated_at: float
    rotated_from: str | None = None
    generation: int = 1
    replays: int = 0
    cause: str | None = None
    cut_at: float | None = None
    denied_at: float | None = None
    denied: int = 0
    replayed: set[int] = field(default_factory=set)
    told: list[Told] = field(default_factory=lambda: [Told("issued", (1,))])

    def present(
        self, generation: int, *, at: float, network: str, proven: bool = True, waited_ms: int = 0
    ) -> str:
        """What a presentation of a generation's token is answered; `waited_ms` were our fault."""
        age_ms = max(0, int(at - self.rotated_at) - waited_ms)
        in_grace = self.grace_ms > 0 and age_ms <= self.grace_ms
        reason = self._denial(generation, at)
        if not proven:
            return "unproven"
        if reason is not None:
            return self._deny(generation, reason, at)
        if generation == self.generation:
            return self._rotate(at, network)
        if generation < self.generation - 1 or not in_grace:
            return self._end_for_reuse(generation)
        return "limited" if self.replays == MOST_REPLAYS else self._replay(network)

    def revoke(self, *, proven: bool = True) -> None:
        """`/revoke` with a token of any generation, or a logout: never reuse."""
        if proven and self.cause is None:
            self.cause = "revoke_endpoint"
            self.told.append(Told("ended", (self.generation, self.cause)))

    def cut(self, at: float) -> None:
        """A kill of the subject, the client or everything: the row stays as it is."""
        self.cut_at = at

    def _denial(self, generation: int, at: float) -> str | None:
        if generation > self.generation:
            return "future_generation"
        if self.cause is not None:
            return "ended"
        if self.cut_at is not None and self.cut_at >= self.started_at:
            return "cut"
        if at >= self.absolute_expires_at:
            return "absolute_expired"
        return "idle_expired" if at >= self.idle_expires_at else None

    def _deny(self, generation: int, reason: str, at: float) -> str:
        self.denied += 1
        if self.denied_at is None or at - self.denied_at >= TOLD_EVERY_MS:
            self.told.append(Told("denied", (generation, self.generation, reason, self.denied)))
            self.denied_at, self.denied = at, 0
        return "denied"

    def _rotate(self, at: float, network: str) -> str:
        self.generation, self.replays = self.generation + 1, 0
        self.rotated_at, self.rotated_from = at, network
        self.idle_expires_at = at + self.idle_ms
        self.told.append(Told("rotated", (self.generation,)))
        return "rotated"

    def _replay(self, network: str) -> str:
        self.replays += 1
        proves = set()
        if network != self.rotated_from:
            proves.add("replayed_from_another_network")
        if self.generation not in self.replayed and (
            {self.generation - 1, self.generation - 2} <= self.replayed
        ):
            proves.add("replayed_in_succession")
        self.replayed.add(self.generation)
        self.told.append(Told("replayed", (self.generation, self.replays), frozenset(proves)))
        return "replayed"

    def _end_for_reuse(self, generation: int) -> str:
        self.cause = "reuse"
        figures = (generation, self.generation)
        self.told.append(Told("presented_stale", figures, frozenset({"reuse"})))
        return "stale"
