"""A small run of the fire harness in which every promise held, for tests that break one."""

from dataclasses import dataclass, field
from typing import Any

from revocast_contracts.topics import REVOCATIONS, SECURITY_SIGNALS, TOKEN_LIFECYCLE, Topic
from tests.fire.evidence import Evidence, Family, Record, Row, Stored
from tests.fire.history import Decision, Got, History, Request

BEGAN = 1_800_000_000.0
BOUND = 4.0
SUBJECT, CLIENT = "a person", "a client"


@dataclass(slots=True)
class SoundRun:
    """Requests, events and records that agree. Times are seconds since the run began."""

    history: History = field(default_factory=lambda: History(bounds={"guard": BOUND}))
    evidence: Evidence = field(default_factory=Evidence)

    def redeem(self, family: str, at: float) -> None:
        """A family starts."""
        got = self.got(family, 1, at)
        self.request("redeem", at, got=got)
        self.tell("revocast.token.issued.v1", family=family, jti_hash=got.jti_hash)
        self.evidence.families.append(
            Family(
                family=family,
                generation=1,
                state="active",
                cause=None,
                client=CLIENT,
                subject=SUBJECT,
            )
        )

    def refresh(self, family: str, generation: int, at: float, **changed: Any) -> None:
        """A client presents a generation and gets the next."""
        got = self.got(family, generation + 1, at, **changed)
        self.request("refresh", at, family=family, generation=generation, got=got)
        self.tell(
            "revocast.token.rotated.v1",
            family=family,
            generation=generation + 1,
            jti_hash=got.jti_hash,
        )
        self.row(family, generation=generation + 1)

    def refused(self, act: str, family: str, generation: int, at: float) -> None:
        """Somebody presents a generation and is refused."""
        self.request(
            act, at, status=400, error="invalid_grant", family=family, generation=generation
        )

    def reuse(self, family: str, generation: int) -> None:
        """The issuer and the revocation service tell of a reuse."""
        self.tell(
            "revocast.token.presented_stale.v1", family=family, presented_generation=generation
        )
        self.tell("revocast.reuse.detected.v1", SECURITY_SIGNALS, family=family)
        selector = {"kind": "family", "value": family}
        self.tell("revocast.revocation.entry.v1", REVOCATIONS, selector=selector, state="applied")
        self.row(family, state="ended", cause="reuse")

    def ask(self, family: str, generation: int, at: float, verdict: str) -> None:
        """The guard is asked about a token."""
        self.history.decisions.append(
            Decision(
                guard="guard",
                before=BEGAN + at,
                after=BEGAN + at,
                jti_hash=f"{family}/{generation}",
                verdict=verdict,
            )
        )

    def request(self, act: str, at: float, **members: Any) -> None:
        """One request, answered after 10 ms."""
        self.history.requests.append(
            Request(
                act=act,
                actor="somebody",
                before=BEGAN + at,
                after=BEGAN + at + 0.01,
                subject=SUBJECT,
                client=CLIENT,
                **{"status": 200, **members},
            )
        )

    def for_itself(self, client: str, at: float) -> Got:
        """What client credentials bring; no event tells of it yet."""
        return Got(
            jti_hash=f"{client}@{at}",
            iat=int(BEGAN + at),
            exp=int(BEGAN + at) + 600,
            subject=client,
            client=client,
        )

    def got(self, family: str, generation: int, at: float, **changed: Any) -> Got:
        """What such a request brings."""
        members: dict[str, Any] = {
            "jti_hash": f"{family}/{generation}",
            "iat": int(BEGAN + at),
            "exp": int(BEGAN + at) + 600,
            "subject": SUBJECT,
            "client": CLIENT,
            "family": family,
            "generation": generation,
            "successor": f"{family}.{generation}",
        }
        return Got(**{**members, **changed})

    def tell(self, kind: str, topic: Topic = TOKEN_LIFECYCLE, **data: Any) -> None:
        """One event: in the outbox, on the topic, in the audit."""
        stored, seq = self.evidence.stored, len(self.evidence.stored)
        place = sum(one.topic == topic.name for one in stored)
        event = {"id": f"event-{seq}", "type": kind, "epoch": 1, "seq": place + 1, "data": data}
        stored.append(Stored(topic=topic.name, partition=0, offset=place, event=event))
        self.evidence.outbox.append(Row(event_id=event_id(stored[-1]), topic=topic.noun, type=kind))
        if topic is not REVOCATIONS:
            self.evidence.records.append(
                Record(
                    index=len(self.evidence.records),
                    event_id=event_id(stored[-1]),
                    topic=topic.name,
                    partition=0,
                    epoch=1,
                    seq=place + 1,
                    family=data.get("family"),
                )
            )

    def row(self, family: str, **changed: Any) -> None:
        """The family's row changes."""
        rows = self.evidence.families
        rows[:] = [
            Family(**{**_members(row), **changed}) if row.family == family else row for row in rows
        ]


def event_id(stored: Stored) -> str:
    """The id of an event on a topic."""
    return str((stored.event or {})["id"])


def sound_run() -> SoundRun:
    """An honest family, a stolen one, a revoked one and a killed one."""
    run = SoundRun()
    run.redeem("honest", 0)
    run.refresh("honest", 1, 1)
    run.refresh("honest", 2, 2)
    run.redeem("stolen", 3)
    run.refresh("stolen", 1, 4)
    run.refresh("stolen", 2, 5)
    run.refused("theft", "stolen", 1, 6)
    run.reuse("stolen", 1)
    run.refused("refresh", "stolen", 3, 7)
    run.redeem("revoked", 8)
    run.request("revoke", 9, family="revoked")
    run.tell("revocast.family.ended.v1", family="revoked", cause="revoke_endpoint")
    run.row("revoked", state="ended", cause="revoke_endpoint")
    run.redeem("killed", 10)
    run.request("kill", 11, kill_id="a kill", selector="family:killed", applied_at=BEGAN + 11.005)
    run.refused("refresh", "killed", 1, 12)
    run.ask("honest", 3, 20, "accepted")
    run.ask("stolen", 3, 6.5, "accepted")
    for family, generation in (("stolen", 3), ("revoked", 1), ("killed", 1)):
        run.ask(family, generation, 20, "revoked")
    return run


def _members(row: Family) -> dict[str, Any]:
    return {name: getattr(row, name) for name in Family.__slots__}
