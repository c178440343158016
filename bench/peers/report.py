"""docs/benchmarks.md from the visits that are kept: what was reached, and what was not."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from string import Template

from bench.peers.results import Figure, Visit
from bench.peers.visit import agree

TEMPLATE = Path(__file__).with_name("benchmarks.md.in")
TITLES = {
    "revocast": "Revocast: issuer + PostgreSQL",
    "pipeline": "Revocast: everything",
    "keycloak": "Keycloak",
    "hydra": "Ory Hydra",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """`ours` does so many `times` of what `peer` does with a CPU-second; None: only compared."""

    operation: str
    clients: int
    peer: str
    times: float | None
    ours: str = "revocast"


GOALS = (
    Goal(operation="refresh", clients=16, peer="hydra", times=9),
    Goal(operation="refresh", clients=16, peer="keycloak", times=7),
    Goal(operation="refresh", clients=64, peer="hydra", times=10),
    Goal(operation="refresh", clients=64, peer="keycloak", times=8),
    Goal(operation="client credentials", clients=16, peer="hydra", times=15),
    Goal(operation="client credentials", clients=16, peer="keycloak", times=4),
    Goal(operation="code flow with PKCE", clients=16, peer="keycloak", times=3),
    Goal(operation="introspection", clients=16, peer="hydra", times=None, ours="pipeline"),
    Goal(operation="introspection", clients=16, peer="keycloak", times=8, ours="pipeline"),
    Goal(operation="refresh", clients=16, peer="hydra", times=None, ours="pipeline"),
    Goal(operation="refresh", clients=16, peer="keycloak", times=2, ours="pipeline"),
)


def report(visits: Sequence[Visit], remark: str = "") -> str:
    """The whole document; `remark` says what a reader has to know of these visits."""
    rows = _rows(visits)
    return Template(TEMPLATE.read_text()).substitute(
        ratios=_table(
            ("operation", "clients", "of ours", "peer", "ratio", "worst to best", "goal", ""),
            (_ratio(goal, rows) for goal in GOALS),
        ),
        figures=_table(
            (
                *("operation", "clients", "system", "runs", "per CPU-s: min / median / max"),
                *("per s", "p50 ms", "p99 ms", "cores", "WAL bytes each"),
            ),
            (_figures(key, found) for key, found in sorted(rows.items())),
        ),
        warm_up="\n".join(f"- {line}" for line in _warm_ups(visits)),
        versions="\n".join(f"- {version}" for version in sorted({each.version for each in visits})),
        settings=_all(f"{k} = {v}" for each in visits for k, v in each.settings.items()),
        remark=f"\n{remark}\n" if remark else "",
        visits=_all(
            f"{sum(each.system == name for each in visits)} of {title}"
            for name, title in TITLES.items()
        ),
        machine=_all(each.machine for each in visits),
        commits=_all(each.commit for each in visits),
        dates=_all(each.at[:10] for each in visits),
        seconds=_all(f"{each.seconds:.0f}" for each in visits),
        signatures=f"{sum(each.signatures for found in rows.values() for each in found):,}",
    )


def _rows(visits: Sequence[Visit]) -> dict[tuple[str, int, str], list[Figure]]:
    rows: dict[tuple[str, int, str], list[Figure]] = {}
    for visit in visits:
        for figure in visit.figures:
            key = (figure.operation, figure.clients, visit.system)
            rows.setdefault(key, []).append(figure)
    return rows


def _ratio(goal: Goal, rows: dict[tuple[str, int, str], list[Figure]]) -> tuple[str, ...]:
    ours, theirs = (
        [each.per_cpu_second for each in rows.get((goal.operation, goal.clients, system), ())]
        for system in (goal.ours, goal.peer)
    )
    return (
        goal.operation,
        str(goal.clients),
        TITLES[goal.ours].removeprefix("Revocast: "),
        TITLES[goal.peer],
        *_compared(ours, theirs, goal.times),
    )


def _compared(
    ours: Sequence[float], theirs: Sequence[float], times: float | None
) -> tuple[str, ...]:
    """The ratio of medians, its outermost values, the goal, and whether it was reached."""
    goal = "" if times is None else f"{times:g}x"
    if not ours or not theirs:
        return "", "", goal, "not measured"
    ratio = median(ours) / median(theirs)
    outermost = f"{min(ours) / max(theirs):.1f}x to {max(ours) / min(theirs):.1f}x"
    reached = "" if times is None else "reached" if ratio >= times else "not reached"
    return f"**{ratio:.1f}x**", outermost, goal, reached


def _figures(key: tuple[str, int, str], found: Sequence[Figure]) -> tuple[str, ...]:
    operation, clients, system = key

    def middle(of: Callable[[Figure], float]) -> str:
        return f"{median(map(of, found)):,.0f}"

    rates = [each.per_cpu_second for each in found]
    cores = {name: median(each.cores[name] for each in found) for name in found[0].cores}
    return (
        operation,
        str(clients),
        TITLES[system],
        str(len(found)),
        f"{min(rates):,.0f} / **{median(rates):,.0f}** / {max(rates):,.0f}",
        middle(lambda each: each.per_second),
        middle(lambda each: each.p50_ms),
        middle(lambda each: each.p99_ms),
        ", ".join(f"{name} {used:.2f}" for name, used in cores.items()),
        middle(lambda each: each.wal_bytes),
    )


def _warm_ups(visits: Sequence[Visit]) -> Iterable[str]:
    for visit in visits:
        runs = ", ".join(f"{each:,.0f}" for each in visit.warm_up)
        agreed = len(visit.warm_up) > 2 and agree(*visit.warm_up[-3:])
        yield f"{TITLES[visit.system]}: {runs}" + ("" if agreed else " (the last did not agree)")


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _all(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(values))
