"""Promises 2 and 4: the dead mint nothing, and every ready guard denies them in time."""

from collections.abc import Iterator

from revocast_contracts.topics import REVOCATIONS, SECURITY_SIGNALS
from tests.fire.chains import LIFECYCLE, STALE
from tests.fire.deaths import Death, Deaths
from tests.fire.evidence import Evidence
from tests.fire.history import Got, History
from tests.fire.violations import Violation

MINTING = ("refresh", "double", "theft")
SLACK_SECONDS = 0.25
"""Between a harness's clock reading and the database's: one machine, two processes."""


def nothing_after(history: History, evidence: Evidence) -> Iterator[Violation]:
    """Promise 2: no success to a request that began after the end was answered."""
    deaths = Deaths(history, evidence)
    started = _started(history)
    for request in history.requests:
        got = request.got
        if request.act not in MINTING or got is None:
            continue
        iat = started.get(request.family)
        for death in deaths.of(family=got.family, subject=got.subject, client=got.client):
            if death.answered is not None and death.answered < request.before and death.kills(iat):
                what = f"minted {request.before - death.answered:.3f} s after {death.cause}"
                yield Violation(2, what, f"family {got.family} for {request.actor}")
    yield from _dead_on_arrival(history, deaths)


def _dead_on_arrival(history: History, deaths: Deaths) -> Iterator[Violation]:
    """Promise 4: what is issued after a kill is younger than it."""
    for request in history.requests:
        got = request.got
        if got is None:
            continue
        for death in deaths.of(subject=got.subject, client=got.client):
            late = death.answered is not None and death.answered < request.before
            if late and death.through is not None and got.iat <= death.through:
                what = f"issued dead on arrival after {death.cause}"
                yield Violation(4, what, f"token {got.jti_hash} for {request.actor}")


def reuse_is_told(history: History, evidence: Evidence) -> Iterator[Violation]:
    """Promise 2: each reuse has its verdict and an applied entry; each refused thief an ending."""
    told = {
        one.data["family"]
        for one in evidence.of(SECURITY_SIGNALS.name)
        if one.type == "revocast.reuse.detected.v1"
    }
    entries = {
        one.data["selector"]["value"]
        for one in evidence.of(REVOCATIONS.name)
        if one.data["selector"]["kind"] == "family" and one.data["state"] == "applied"
    }
    reused = {one.data["family"] for one in evidence.of(LIFECYCLE) if one.type == STALE}
    for family in sorted(reused):
        if family not in told:
            yield Violation(2, "reuse without reuse.detected", f"family {family}")
        if family not in entries:
            yield Violation(2, "reuse without an applied entry", f"family {family}")
    deaths = Deaths(history, evidence)
    rows = {row.family: row for row in evidence.families}
    for request in history.requests:
        if request.act != "theft" or request.error != "invalid_grant":
            continue
        others = deaths.of(family=request.family, subject=request.subject, client=request.client)
        already = any(d.cause != "theft" and d.began <= request.after for d in others)
        row = rows.get(request.family or "")
        if not already and (row is None or row.cause != "reuse"):
            yield Violation(
                2, "a thief was refused and the family lives", f"family {request.family}"
            )


def guards_deny(history: History, evidence: Evidence) -> Iterator[Violation]:
    """Promises 2 and 4: what a ready guard accepted was not dead for longer than its bound."""
    deaths, tokens = Deaths(history, evidence), _tokens(history)
    worst: dict[tuple[str, str], tuple[float, Death]] = {}
    for decision in history.decisions:
        got = tokens.get(decision.jti_hash)
        if decision.verdict != "accepted" or got is None:
            continue
        bound = history.bounds[decision.guard] + SLACK_SECONDS
        for death in deaths.of_token(got):
            if death.told is None or not death.kills(got.iat):
                continue
            late = decision.before - death.told
            known = worst.get((decision.guard, decision.jti_hash), (0.0, death))
            if late > bound and late > known[0]:
                worst[decision.guard, decision.jti_hash] = (late, death)
    for (guard, jti_hash), (late, death) in worst.items():
        what = f"{guard} accepted {late:.2f} s after {death.cause}, its bound is "
        what += f"{history.bounds[guard]:.2f} s"
        yield Violation(2 if death.cause == "theft" else 4, what, f"token {jti_hash}")


def guards_invent_nothing(history: History, evidence: Evidence) -> Iterator[Violation]:
    """Promise 6: a guard denies only what somebody ended."""
    deaths, tokens = Deaths(history, evidence), _tokens(history)
    told: set[str] = set()
    for decision in history.decisions:
        got = tokens.get(decision.jti_hash)
        if decision.verdict not in {"revoked", "invalid"} or got is None or got.jti_hash in told:
            continue
        expired = decision.verdict == "invalid" and got.exp <= decision.after + 1
        causes = deaths.of_token(got)
        if not expired and not any(cause.began <= decision.after for cause in causes):
            told.add(got.jti_hash)
            what = f"{decision.guard} said {decision.verdict} of a token that nobody ended"
            shown_by = f"token {got.jti_hash}, family {got.family}, {decision.why}"
            yield Violation(6, what, f"{shown_by}, at {decision.before:.3f}")


def _tokens(history: History) -> dict[str, Got]:
    return {each.got.jti_hash: each.got for each in history.requests if each.got is not None}


def _started(history: History) -> dict[str | None, int]:
    """The second in which each family started."""
    return {
        each.got.family: each.got.iat
        for each in history.requests
        if each.act == "redeem" and each.got is not None
    }
