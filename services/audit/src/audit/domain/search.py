"""What records are asked for, and the cursor that continues an answer without gap or repeat."""

import hashlib
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

LARGEST_INDEX = 2**63 - 1
_VERSION = 1
_CURSOR = re.compile(r"[A-Za-z0-9_-]{23}")


class Order(StrEnum):
    """By index, which is the order of recording."""

    NEWEST = "newest"
    OLDEST = "oldest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """All filters must match; `since` is included, `until` not. `after` is the last index seen."""

    family: str | None = None
    session: str | None = None
    subject: str | None = None
    client: str | None = None
    type: str | None = None
    correlation_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    order: Order = Order.NEWEST
    limit: int = 100
    after: int | None = None

    def _fingerprint(self) -> bytes:
        told = (
            self.family,
            self.session,
            self.subject,
            self.client,
            self.type,
            self.correlation_id,
            self.since and self.since.timestamp(),
            self.until and self.until.timestamp(),
            self.order.value,
        )
        return hashlib.sha256(repr(told).encode()).digest()[:8]

    def cursor(self, index: int) -> str:
        """The cursor that goes on after a record, for the same filters and order only."""
        raw = bytes([_VERSION]) + index.to_bytes(8, "big") + self._fingerprint()
        return urlsafe_b64encode(raw).rstrip(b"=").decode()

    def index_of(self, cursor: str) -> int | None:
        """The index that a cursor of this very search goes on after; None if it is none.

        It names a position, not a permission: whoever forges one sees what the filters allow.
        """
        if not _CURSOR.fullmatch(cursor):
            return None
        raw = urlsafe_b64decode(cursor + "=")
        index = int.from_bytes(raw[1:9], "big")
        genuine = index <= LARGEST_INDEX and self.cursor(index) == cursor
        return index if genuine else None

    def going_on_after(self, index: int) -> "Search":
        """The same search from the record after `index` on."""
        return replace(self, after=index)
