"""The family table of design 4 as cases: the issuer's SQL and the detector must both agree to it.

Only tokens with a valid mac, presented by their own client, are here: what is not proven changes
nothing and reaches no stream.
"""

from dataclasses import dataclass
from typing import Literal

Word = Literal["rotated", "replayed", "limited", "stale", "denied"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Presentation:
    """One refresh token presented to a family whose row stands as described.

    `generation` is the token's; `current` the family's; `replays` how often the current generation
    was given out again before; `age_ms` the time since the rotation that made it current; `ended`
    whether the family was ended before.
    """

    generation: int
    current: int
    age_ms: int
    replays: int = 0
    ended: bool = False
    outcome: Word


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyCase:
    """Presentations to one family, in order. It starts at generation 1; `grace_ms` is its client's.

    Each presentation states the row that the earlier ones have led to, so it can also be tried
    alone. Ages are since the last rotation and never close to the grace, so no clock decides.
    """

    name: str
    grace_ms: int
    presentations: tuple[Presentation, ...]


GRACE_MS = 10_000
DAY_MS = 86_400_000


def _rotations(count: int) -> tuple[Presentation, ...]:
    """A client that refreshes once a minute and gets every answer."""
    return tuple(
        Presentation(generation=current, current=current, age_ms=60_000, outcome="rotated")
        for current in range(1, count + 1)
    )


def _replays(current: int, count: int) -> tuple[Presentation, ...]:
    """The predecessor of `current` comes again so often, a second after the rotation."""
    return tuple(
        Presentation(
            generation=current - 1,
            current=current,
            age_ms=1_000,
            replays=earlier,
            outcome="replayed",
        )
        for earlier in range(count)
    )


FAMILY_CASES: tuple[FamilyCase, ...] = (
    FamilyCase(
        name="every token is used once",
        grace_ms=GRACE_MS,
        presentations=_rotations(5),
    ),
    FamilyCase(
        name="the current token is used after a long silence",
        grace_ms=GRACE_MS,
        presentations=(
            *_rotations(1),
            Presentation(generation=2, current=2, age_ms=DAY_MS, outcome="rotated"),
        ),
    ),
    FamilyCase(
        name="a lost answer is asked for again, then the client goes on",
        grace_ms=GRACE_MS,
        presentations=(
            *_rotations(1),
            *_replays(2, 1),
            Presentation(generation=2, current=2, age_ms=60_000, replays=1, outcome="rotated"),
            Presentation(generation=3, current=3, age_ms=60_000, outcome="rotated"),
        ),
    ),
    FamilyCase(
        name="replays are used up and nobody is logged out",
        grace_ms=GRACE_MS,
        presentations=(
            *_rotations(1),
            *_replays(2, 3),
            Presentation(generation=1, current=2, age_ms=1_000, replays=3, outcome="limited"),
            Presentation(generation=1, current=2, age_ms=1_000, replays=3, outcome="limited"),
            Presentation(generation=2, current=2, age_ms=60_000, replays=3, outcome="rotated"),
        ),
    ),
    FamilyCase(
        name="replays are counted for each generation anew",
        grace_ms=GRACE_MS,
        presentations=(
            *_rotations(1),
            *_replays(2, 3),
            Presentation(generation=2, current=2, age_ms=60_000, replays=3, outcome="rotated"),
            *_replays(3, 1),
        ),
    ),
    FamilyCase(
        name="the predecessor comes after grace",
        grace_ms=GRACE_MS,
        presentations=(
            *_rotations(1),
            Presentation(generation=1, current=2, age_ms=60_000, outcome="stale"),
            Presentation(generation=2, current=2, age_ms=60_000, ended=True, outcome="denied"),
            Presentation(generation=1, current=2, age_ms=60_000, ended=True, outcome="denied"),
        ),
    ),
    FamilyCase(
        name="replays are used up and the predecessor comes after grace",
        grace_ms=GRACE_MS,
        presentations=(
            *_rotations(1),
            *_replays(2, 3),
            Presentation(generation=1, current=2, age_ms=60_000, replays=3, outcome="stale"),
        ),
    ),
    FamilyCase(
        name="an older generation comes within grace of the last rotation",
        grace_ms=GRACE_MS,
        presentations=(
            *_rotations(3),
            Presentation(generation=2, current=4, age_ms=1_000, outcome="stale"),
        ),
    ),
    FamilyCase(
        name="the first token comes again much later",
        grace_ms=GRACE_MS,
        presentations=(
            *_rotations(3),
            Presentation(generation=1, current=4, age_ms=DAY_MS, outcome="stale"),
            Presentation(generation=4, current=4, age_ms=DAY_MS, ended=True, outcome="denied"),
        ),
    ),
    FamilyCase(
        name="the successor's use closes the window of its predecessor",
        grace_ms=GRACE_MS,
        presentations=(
            *_rotations(1),
            Presentation(generation=2, current=2, age_ms=1_000, outcome="rotated"),
            Presentation(generation=1, current=3, age_ms=1_000, outcome="stale"),
        ),
    ),
    FamilyCase(
        name="a client without grace gets no second answer",
        grace_ms=0,
        presentations=(
            *_rotations(1),
            Presentation(generation=1, current=2, age_ms=1_000, outcome="stale"),
        ),
    ),
    FamilyCase(
        name="the longest grace answers after half a minute",
        grace_ms=60_000,
        presentations=(
            *_rotations(1),
            Presentation(generation=1, current=2, age_ms=30_000, outcome="replayed"),
            Presentation(generation=1, current=2, age_ms=120_000, replays=1, outcome="stale"),
        ),
    ),
    FamilyCase(
        name="a generation that does not exist yet is refused without an effect",
        grace_ms=GRACE_MS,
        presentations=(
            *_rotations(1),
            Presentation(generation=5, current=2, age_ms=1_000, outcome="denied"),
            Presentation(generation=2, current=2, age_ms=60_000, outcome="rotated"),
        ),
    ),
    FamilyCase(
        name="three replays in three generations in a row, which the issuer alone cannot see",
        grace_ms=GRACE_MS,
        presentations=(
            *_rotations(1),
            *_replays(2, 1),
            Presentation(generation=2, current=2, age_ms=60_000, replays=1, outcome="rotated"),
            *_replays(3, 1),
            Presentation(generation=3, current=3, age_ms=60_000, replays=1, outcome="rotated"),
            *_replays(4, 1),
        ),
    ),
)
