"""`GET /records` and `GET /records/{index}`: what was recorded, searched and one by one."""

import re

from fastapi import APIRouter, Depends, Request, Response

from audit.api.documentation import SEARCH
from audit.api.parameters import search_of
from audit.api.parts import READ, Parts
from audit.api.views import answer, record_view, whole_record_view
from audit.domain.search import LARGEST_INDEX
from audit.usecases.search_records import read_record, search_records
from revocast.fastapi import requires
from servicekit.problems import Problem
from servicekit.queries import parameters_of

_INDEX = re.compile(r"[0-9]{1,19}")


def record_routes(parts: Parts) -> APIRouter:
    """The routes of records."""
    router = APIRouter(dependencies=[Depends(requires(parts.guard, READ))])

    @router.get("/records", openapi_extra=SEARCH)
    async def get_records(request: Request) -> Response:
        """The records that match all filters, newest first unless `order` says otherwise."""
        page = await search_records(parts.pool, search_of(request))
        shown = [record_view(record) for record in page.records]
        return answer({"records": shown, "next": page.cursor})

    @router.get("/records/{index}")
    async def get_record(request: Request, index: str) -> Response:
        """One record, with its bytes."""
        parameters_of(request, ())
        known = _INDEX.fullmatch(index) and int(index) <= LARGEST_INDEX
        record = await read_record(parts.pool, int(index)) if known else None
        if record is None:
            raise Problem(404, "No such record.")
        return answer(whole_record_view(record))

    return router
