"""Why a token may be dead, told from the clients' history: who ended what, and since when."""

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from tests.fire.evidence import Evidence
from tests.fire.history import Got, History, Request

IN_SUCCESSION = 3
"""So many generations in a row, each presented more than once, look like two parties."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """Something that ends tokens: possible since `began`, certain since `answered` (None: never).

    `told` is when it was certain that guards are to learn of it. `through`: tokens issued up to
    this second are dead; None: whatever their time.
    """

    cause: str
    began: float
    answered: float | None
    told: float | None
    through: int | None = None

    def kills(self, iat: int | None) -> bool:
        """Whether a token of this second is surely dead."""
        return self.through is None or (iat is not None and iat <= self.through)


class Deaths:
    """All deaths of a run, by what they select."""

    def __init__(self, history: History, evidence: Evidence) -> None:
        self._by: dict[str, list[Death]] = defaultdict(list)
        self._applied = dict(_applied(evidence))
        for request in history.requests:
            for selector, death in self._of(request):
                self._by[selector].append(death)
        for family, began in _shadowed(history):
            death = Death(cause="shadowed", began=began, answered=None, told=None)
            self._by[f"family:{family}"].append(death)

    def of(
        self,
        *,
        family: str | None = None,
        subject: str | None = None,
        client: str | None = None,
        jti_hash: str | None = None,
    ) -> list[Death]:
        """The deaths of what has these names."""
        named = {"family": family, "subject": subject, "client": client, "jti": jti_hash}
        return [
            death
            for kind, value in named.items()
            if value is not None
            for death in self._by.get(f"{kind}:{value}", ())
        ]

    def of_token(self, got: Got) -> list[Death]:
        """The deaths of an access token."""
        return self.of(
            family=got.family, subject=got.subject, client=got.client, jti_hash=got.jti_hash
        )

    def _of(self, request: Request) -> Iterator[tuple[str, Death]]:
        refused = request.status == 400 and request.error == "invalid_grant"
        done = request.after
        match request.act:
            case "theft":
                at = done if refused else None
                death = Death(cause="theft", began=request.before, answered=at, told=at)
                yield f"family:{request.family}", death
            case "revoke":
                at = done if request.status == 200 else None
                death = Death(cause="revoke", began=request.before, answered=at, told=at)
                yield f"family:{request.family}", death
            case "revoke_access":
                at = done if request.status == 200 else None
                death = Death(cause="revoke_access", began=request.before, answered=None, told=at)
                yield f"jti:{request.jti_hash}", death
            case "kill":
                yield from self._of_kill(request)

    def _of_kill(self, request: Request) -> Iterator[tuple[str, Death]]:
        applied = request.applied_at or self._applied.get(request.kill_id or "")
        answered = request.after if request.status == 200 else None
        told = request.after if request.status in {200, 202} else None
        through = None if applied is None else math.floor(applied)
        if applied is None:
            answered = told = None
        death = Death(
            cause="kill", began=request.before, answered=answered, told=told, through=through
        )
        yield request.selector or "", death


def _applied(evidence: Evidence) -> Iterator[tuple[str, float]]:
    """When the issuer applied each kill."""
    for one in evidence.stored:
        if one.type == "revocast.kill.applied.v1":
            yield one.data["kill_id"], datetime.fromisoformat(one.data["applied_at"]).timestamp()


def _shadowed(history: History) -> Iterator[tuple[str, float]]:
    """Families whose own client presented several generations in a row more than once each."""
    presented: dict[tuple[str, int], list[float]] = defaultdict(list)
    for request in history.requests:
        if request.act not in {"refresh", "double"} or not request.reached:
            continue
        if request.family is not None and request.generation is not None:
            presented[request.family, request.generation].append(request.before)
    for (family, generation), times in presented.items():
        run = [presented.get((family, generation - back), []) for back in range(IN_SUCCESSION)]
        if all(len(each) > 1 for each in run):
            yield family, sorted(times)[1]
