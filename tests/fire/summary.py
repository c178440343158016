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
    yield from (f"seen        {line}" for line in outcome.notes)
    yield from (f"NOT READY   {line}" for line in outcome.unready)
    yield f"violations  {len(outcome.violations)}"
    yield from (f"VIOLATION   {each}" for each in outcome.violations)


def figures(outcome: Outcome) -> str:
    """All that counts, in one line: what the pipeline's output ends with."""
    return (
        f"{outcome.killed.total()} kills, {outcome.paused.total()} pauses, {outcome.cuts} cuts, "
        f"{len(outcome.history.requests)} requests, {len(outcome.history.decisions)} decisions, "
        f"{outcome.lines} lines of history, {len(outcome.evidence.outbox)} events written, "
        f"{len(outcome.evidence.records)} recorded, {len(outcome.unready)} not ready, "
        f"{len(outcome.violations)} violations"
    )


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
