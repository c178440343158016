"""Events of `security-signals`: what the revocation service decided, and why."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AwareDatetime, Field

from revocast_contracts.envelope import Data
from revocast_contracts.lifecycle import StaleClass
from revocast_contracts.open_words import OpenWhenRead
from revocast_contracts.selectors import Selector


class ReuseDetected(Data):
    """A refresh token was used again outside grace: its family is dead everywhere."""

    event_type: ClassVar[str] = "revocast.reuse.detected.v1"

    family: str
    session: str | None = None
    sub: str
    client_id: str
    reuse_class: Annotated[StaleClass, OpenWhenRead()]
    presented_generation: int
    current_generation: int
    evidence: tuple[str, ...] = Field(description="Ids of the events this verdict rests on.")
    entry_id: str


class KillDecided(Data):
    """Somebody, or the detector, decided that everything of a selector is to die."""

    event_type: ClassVar[str] = "revocast.kill.decided.v1"

    kill_id: str
    selector: Selector = Field(description="As it was asked for; a subject is not hashed here.")
    cause: str = Field(description="`operator`, `detector` or `client_disabled`.")
    actor: str
    reason: str


class KillCompleted(Data):
    """The issuer applied a kill; what is younger than `applied_at` lives."""

    event_type: ClassVar[str] = "revocast.kill.completed.v1"

    kill_id: str
    selector: Selector
    applied_at: AwareDatetime


class AnomalyRule(StrEnum):
    """What the detector saw that one transaction could not see."""

    GENERATION_ROTATED_TWICE = "generation_rotated_twice"
    REPLAYED_IN_SUCCESSION = "replayed_in_succession"
    REPLAYED_FROM_ANOTHER_NETWORK = "replayed_from_another_network"


class AnomalyDetected(Data):
    """The detector's rule matched; `ended` says whether policy ended the family for it."""

    event_type: ClassVar[str] = "revocast.anomaly.detected.v1"

    rule: Annotated[AnomalyRule, OpenWhenRead()]
    family: str
    session: str | None = None
    sub: str
    client_id: str
    evidence: tuple[str, ...]
    ended: bool
