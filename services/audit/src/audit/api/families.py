"""`GET /families/{id}`: a family's whole story in order, its state, and what ended it."""

from fastapi import APIRouter, Depends, Request, Response

from audit.api.documentation import STORY
from audit.api.parameters import after, limit_of, uuid_of
from audit.api.parts import READ, Parts
from audit.api.views import answer, family_view
from audit.domain.search import Order, Search
from audit.usecases.tell_family import Window, tell_family
from revocast.fastapi import requires
from servicekit.problems import Problem
from servicekit.queries import parameters_of

USUAL_STORY = "500"
"""Records: three days of refreshing every ten minutes; longer stories go on with `cursor`."""


def family_routes(parts: Parts) -> APIRouter:
    """The routes of families."""
    router = APIRouter(dependencies=[Depends(requires(parts.guard, READ))])

    @router.get("/families/{family_id}", openapi_extra=STORY)
    async def get_family(request: Request, family_id: str) -> Response:
        """The story of one family."""
        given = parameters_of(request, ("limit", "cursor"))
        limit = limit_of("limit", given.get("limit", USUAL_STORY))
        family = uuid_of("family_id", family_id)
        search = after(Search(family=family, order=Order.OLDEST), given.get("cursor"))
        story = await tell_family(parts.pool, family, Window(limit=limit, after=search.after))
        if story is None:
            raise Problem(404, "Nothing is known of this family.")
        more = story.next_after
        return answer(family_view(story, None if more is None else search.cursor(more)))

    return router
