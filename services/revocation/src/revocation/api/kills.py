"""`POST /revocations` and `GET /revocations/{id}`: operators decide, and see what became of it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse

from revocast import Claims
from revocast.fastapi import requires
from revocast_contracts.selectors import SelectorKind
from revocation.api.kill_request import KillBody, idempotency_key, read_kill, wait_seconds
from revocation.api.parts import READ, WRITE, Parts
from revocation.api.views import entry_view, kill_view
from revocation.store import entries, kills
from revocation.store.kills import Kill
from revocation.usecases.decide_kill import KeyReused, KillRequest, decide_kill
from servicekit.correlation import correlation_id
from servicekit.problems import Problem
from servicekit.queries import only, parameters_of


def kill_routes(parts: Parts) -> APIRouter:
    """The routes of kills."""
    router = APIRouter()

    @router.post("/revocations", openapi_extra=_BODY)
    async def post_revocation(
        request: Request,
        caller: Annotated[Claims, Depends(requires(parts.guard, WRITE))],
        wait: Annotated[float | None, Query(ge=0, allow_inf_nan=False)] = None,
    ) -> JSONResponse:
        """Kill everything of a selector: 200 when the issuer has applied it, 202 while pending."""
        parameters_of(request, ("wait",))
        seconds = wait_seconds(
            request, wait, usual=parts.wait_seconds, longest=parts.longest_wait_seconds
        )
        asked = _asked(request, await read_kill(request), caller, parts.issuer_url)
        kill = await decide_kill(parts.pool, asked, hash_key=parts.hash_key, poke=parts.poke)
        if isinstance(kill, KeyReused):
            raise Problem(422, "Idempotency-Key reused: it belongs to another request.")
        return _answer(await parts.completions.wait(parts.pool, kill, seconds=seconds))

    reads = Depends(requires(parts.guard, READ))

    @router.get("/revocations/{revocation_id}", dependencies=[reads, Depends(only())])
    async def get_revocation(revocation_id: str) -> JSONResponse:
        """One kill or entry."""
        if not revocation_id.isprintable():  # PostgreSQL has no NUL, not even to look for one
            raise _unknown()
        async with parts.pool.acquire() as connection:
            kill = await kills.read(connection, revocation_id)
            entry = None if kill else await entries.read_entry(connection, revocation_id)
        if kill is not None:
            return JSONResponse(kill_view(kill).members())
        if entry is not None:
            return JSONResponse(entry_view(entry).members())
        raise _unknown()

    return router


_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": KillBody.model_json_schema()}},
    }
}


def _unknown() -> Problem:
    return Problem(404, "No such revocation.")


def _asked(request: Request, body: KillBody, caller: Claims, issuer_url: str) -> KillRequest:
    selector = body.selector.selector()
    if selector.kind is SelectorKind.ISSUER and selector.value != issuer_url:
        raise Problem(422, "The request is not valid: we serve another issuer.")
    return KillRequest(
        selector=selector,
        reason=body.reason,
        actor=caller.sub,
        idempotency_key=idempotency_key(request),
        correlation_id=correlation_id(),
    )


def _answer(kill: Kill) -> JSONResponse:
    location = {"Location": f"/revocations/{kill.id}"}
    if kill.applied_at is not None:
        return JSONResponse(kill_view(kill).members(), headers=location)
    return JSONResponse(kill_view(kill).members(), 202, headers=location | {"Retry-After": "1"})
