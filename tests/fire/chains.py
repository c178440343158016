"""Promises 1 and 3: one successor for each refresh token, and no honest client is logged out."""

from collections import defaultdict
from collections.abc import Iterator

from revocast_contracts.topics import TOKEN_LIFECYCLE
from tests.fire.deaths import Deaths
from tests.fire.evidence import Evidence, Stored
from tests.fire.history import History
from tests.fire.violations import Violation

LIFECYCLE = TOKEN_LIFECYCLE.name
REFRESHES = ("refresh", "double", "theft")
ROTATED = "revocast.token.rotated.v1"
STALE = "revocast.token.presented_stale.v1"
ENDED = "revocast.family.ended.v1"
DENIED = "revocast.token.denied.v1"


def one_successor(history: History, evidence: Evidence) -> Iterator[Violation]:
    """Promise 1, by what clients got and by what the issuer told."""
    successors: dict[tuple[str | None, int | None], set[str | None]] = defaultdict(set)
    for request in history.requests:
        if request.act not in REFRESHES or request.got is None:
            continue
        successors[request.family, request.generation].add(request.got.successor)
        if request.got.generation != (request.generation or 0) + 1:
            what = f"generation {request.generation} bought generation {request.got.generation}"
            yield Violation(1, what, f"family {request.family}, {request.actor}")
    for (family, generation), found in successors.items():
        if len(found) > 1:
            what = f"generation {generation} has {len(found)} successors"
            yield Violation(1, what, f"family {family}: {sorted(map(str, found))}")
    yield from _chains(evidence)


def _chains(evidence: Evidence) -> Iterator[Violation]:
    current: dict[str, int] = {}
    for one in _distinct(evidence.of(LIFECYCLE)):
        if one.type != ROTATED:
            continue
        family, generation = one.data["family"], one.data["generation"]
        expected = current.get(family, 1) + 1
        if generation != expected:
            what = f"the topic tells generation {generation} where {expected} comes next"
            yield Violation(1, what, f"family {family}, event {_id(one)}")
        current[family] = max(generation, current.get(family, 1))
    for row in evidence.families:
        told = current.get(row.family, 1)
        if row.generation != told:
            what = f"the family's row has generation {row.generation}, its events {told}"
            yield Violation(6, what, f"family {row.family}")


def families_live(history: History, evidence: Evidence) -> Iterator[Violation]:
    """Promise 3: whoever was refused or ended had a reason that an outsider knows."""
    deaths = Deaths(history, evidence)
    for request in history.requests:
        if request.act not in {"refresh", "double"} or request.error != "invalid_grant":
            continue
        causes = deaths.of(family=request.family, subject=request.subject, client=request.client)
        if not any(cause.began <= request.after for cause in causes):
            what = f"an honest client was refused generation {request.generation}"
            yield Violation(
                3, what, f"family {request.family}, {request.actor} at {request.after:.3f}"
            )
    thefts = {(each.family, each.generation) for each in history.requests if each.act == "theft"}
    revoked = {each.family for each in history.requests if each.act == "revoke"}
    for one in _distinct(evidence.of(LIFECYCLE)):
        yield from _ending(one, thefts, revoked)


def _ending(
    one: Stored, thefts: set[tuple[str | None, int | None]], revoked: set[str | None]
) -> Iterator[Violation]:
    family = one.data.get("family")
    if one.type == STALE and (family, one.data["presented_generation"]) not in thefts:
        what = f"reuse of generation {one.data['presented_generation']} that no thief presented"
        yield Violation(3, what, f"family {family}, event {_id(one)}, {one.data}")
    if one.type == ENDED and not (
        one.data["cause"] == "too_many"
        or (one.data["cause"] == "revoke_endpoint" and family in revoked)
    ):
        what = f"a family ended by {one.data['cause']} for which nobody asked"
        yield Violation(3, what, f"family {family}, event {_id(one)}")
    if one.type == DENIED and one.data["reason"] == "future_generation":
        yield Violation(6, "a generation was forgotten", f"family {family}, event {_id(one)}")


def _distinct(stored: list[Stored]) -> Iterator[Stored]:
    """Each event where it stood first: a relay may send one again."""
    seen: set[str] = set()
    for one in stored:
        if _id(one) not in seen:
            seen.add(_id(one))
            yield one


def _id(one: Stored) -> str:
    return str((one.event or {})["id"])
