"""A run in a few lines."""

from collections import Counter
from collections.abc import Iterator
from statistics import median

from tests.fire.run import Outcome


def summary(outcome: Outcome) -> Iterator[str]:
    """What happened, in lines for a terminal."""
    requests, decisions = outcome.history.requests, outcome.history.decisions
    acts = Counter(request.act for request in requests)
    answers = Counter(str(request.status or "lost") for request in requests)
    verdicts = Counter(decision.verdict for decision in decisions)
    events, records = len(outcome.evidence.outbox), len(outcome.evidence.records)
    total = outcome.killed.total()
    yield f"{outcome.seconds:.0f} s, {total} kills, {outcome.lines} lines of history"
    yield f"requests    {len(requests)}: {_counted(acts)}"
    yield f"answers     {_counted(answers)}"
    yield f"decisions   {len(decisions)}: {_counted(verdicts)}"
    yield f"kills       {_counted(outcome.killed)}"
    yield f"pauses      {_counted(outcome.paused)}"
    yield f"cuts        {outcome.cuts} times all connections of a service to PostgreSQL"
    yield f"events      {events} written, {records} recorded"
    yield from _recoveries(outcome)
    yield from (f"outage      {line}" for line in outcome.notes)
    yield from (f"NOT READY   {line}" for line in outcome.unready)
    yield f"violations  {len(outcome.violations)}"
    yield from (f"VIOLATION   {each}" for each in outcome.violations)


def _recoveries(outcome: Outcome) -> Iterator[str]:
    kinds: dict[str, list[float]] = {}
    for each in outcome.recoveries:
        kind = each.target.partition("-")[0]
        kinds.setdefault(f"{kind} {'alone' if each.alone else 'with others'}", []).append(
            each.seconds
        )
    for kind, seconds in sorted(kinds.items()):
        told = f"p50 {median(seconds):.2f} s, max {max(seconds):.2f} s ({len(seconds)})"
        yield f"recovery    {kind}: {told}"


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"
