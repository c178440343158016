from bench.peers.report import GOALS, report
from bench.peers.results import Figure, Visit


def visit(system: str, per_cpu_second: float) -> Visit:
    """A visit in which every measure of every goal gave one figure."""
    measures = {(goal.operation, goal.clients) for goal in GOALS}
    return Visit(
        system=system,
        version=f"{system} 1",
        at="2026-01-02T03:04:05+00:00",
        commit="abc",
        machine="2 cores",
        settings={"fsync": "on"},
        seconds=10,
        warm_up=[1.0, 2.0],
        figures=[
            Figure(
                operation=operation,
                clients=clients,
                per_second=10,
                per_cpu_second=per_cpu_second,
                p50_ms=1,
                p99_ms=2,
                cores={system: 0.5},
                wal_bytes=100,
                signatures=3,
            )
            for operation, clients in measures
        ],
    )


def line(document: str, operation: str, peer: str) -> str:
    """The first ratio of a table about an operation and a peer."""
    return next(row for row in document.splitlines() if operation in row and peer in row)


def test_a_ratio_that_misses_its_goal_is_said_to() -> None:
    """Goals are compared with medians over all visits, and the outermost runs stand beside them."""
    visits = [visit("revocast", 1000), visit("pipeline", 500), visit("hydra", 100)]
    document = report([*visits, visit("keycloak", 400), visit("keycloak", 600)])
    missed = line(document, "| refresh | 16", "Keycloak")
    reached = line(document, "| refresh | 16", "Ory Hydra")
    assert "**2.0x**" in missed
    assert "1.7x to 2.5x" in missed
    assert missed.endswith("| 7x | not reached |")
    assert "**10.0x**" in reached
    assert reached.endswith("| 9x | reached |")


def test_what_was_not_measured_is_said_to_be_missing() -> None:
    """A goal without figures stays in the table."""
    visits = [visit("revocast", 1000), visit("keycloak", 100)]
    missing = line(report(visits), "| refresh | 16", "Ory Hydra")
    assert missing.endswith("| 9x | not measured |")
