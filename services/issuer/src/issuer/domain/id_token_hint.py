"""What an ID token tells us when a client shows it to us again."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class IdTokenHint:
    """Claims of an ID token that we signed, expired or not (`sub`, `sid`, `aud`)."""

    subject: UUID
    session: UUID | None
    client_id: str
