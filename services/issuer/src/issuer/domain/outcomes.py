"""What a use case decided. A refusal is a value: its effects are committed before it is told."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """A decision to hand out tokens; signing only writes down what stands here.

    `issued_at` is the database's clock read under the locks of the decision, never the time of
    signing. `family`, `session`, `auth_time` and `acr` are None for client credentials. `id_token`
    says whether the grant includes one (scope `openid`), `nonce` what it repeats.
    """

    client_id: str
    subject: str
    scope: frozenset[str]
    resource: str
    jti: str
    issued_at: datetime
    expires_at: datetime
    family: UUID | None = None
    session: UUID | None = None
    auth_time: datetime | None = None
    acr: str | None = None
    refresh_token: str | None = None
    id_token: bool = False
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """`invalid_grant`. `detail` is for the log and the operator, never for the client.

    `guessed` says that nothing was proven: such refusals are counted per client and minute.
    """

    detail: str
    guessed: bool = False


@dataclass(frozen=True, slots=True)
class ScopeRefused:
    """`invalid_scope`: more was asked for than this grant holds."""

    detail: str


@dataclass(frozen=True, slots=True)
class TryLater:
    """Nothing was decided: 503 when `limited` is False, 429 when it is, both with Retry-After."""

    detail: str
    seconds: int
    limited: bool = False


@dataclass(frozen=True, slots=True)
class TargetRefused:
    """`invalid_target` (RFC 8707): the resource asked for is not the one that was granted."""

    detail: str
