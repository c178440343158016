"""`GET /revocations`: what is dead now, page by page, and where to follow from."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import asdict, dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse

from revocast.fastapi import requires
from revocast_contracts.selectors import SelectorKind, jti_hash, subject_hash
from revocation.api.kill_request import LONGEST_VALUE, TEXT, canonical_subject
from revocation.api.parts import READ, Parts
from revocation.api.views import entry_view
from revocation.store import entries, positions
from revocation.store.positions import Position
from servicekit.queries import only, refused

LARGEST_PAGE = 1000
USUAL_PAGE = 100
LONGEST_CURSOR = 1024
FILTERS = ("kind", "value", "limit", "cursor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """The last id of a page, and the first page's position: from there all pages are followed."""

    after: str
    position: Position

    def encode(self) -> str:
        """Opaque to whoever sends it back."""
        members = [self.after, asdict(self.position)]
        return urlsafe_b64encode(json.dumps(members).encode()).decode()


def entry_routes(parts: Parts) -> APIRouter:
    """The route of entries."""
    router = APIRouter()

    reads = Depends(requires(parts.guard, READ))

    @router.get("/revocations", dependencies=[reads, Depends(only(*FILTERS))])
    async def get_revocations(
        kind: Annotated[SelectorKind | None, Query()] = None,
        value: Annotated[str | None, Query(max_length=LONGEST_VALUE, pattern=TEXT)] = None,
        limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = USUAL_PAGE,
        cursor: Annotated[str | None, Query(max_length=LONGEST_CURSOR)] = None,
    ) -> JSONResponse:
        """Entries in force, and `position`: whoever follows the topic after it misses none."""
        start = _decode(cursor) if cursor is not None else None
        async with parts.pool.acquire() as connection:
            position = start.position if start else await positions.read(connection)
            page = await entries.read_live(
                connection,
                kind=kind,
                values=None if value is None else _spellings(value, parts.hash_key),
                after=start.after if start else "",
                limit=limit,
            )
        following = None
        if len(page) == limit:
            following = Cursor(after=page[-1].entry_id, position=position).encode()
        return JSONResponse(
            {
                "entries": [entry_view(entry).members() for entry in page],
                "position": asdict(position),
                "next_cursor": following,
            }
        )

    return router


def _spellings(value: str, hash_key: bytes) -> list[str]:
    """A value as it is published, and the hashes of a subject or `jti` that is named itself."""
    return [value, subject_hash(canonical_subject(value), hash_key), jti_hash(value)]


def _decode(cursor: str) -> Cursor:
    try:
        match json.loads(urlsafe_b64decode(cursor.encode())):
            case [
                str(after),
                {"epoch": int(epoch), "seq": int(seq), "offset": int() | None as offset},
            ] if after.isprintable():
                position = Position(epoch=epoch, seq=seq, offset=offset)
                return Cursor(after=after, position=position)
    except (ValueError, RecursionError):
        pass
    raise refused("cursor", "send next_cursor as it was given.")
