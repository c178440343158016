"""Protects FastAPI routes: `Depends(requires(guard, "orders.read"))` gives the caller's claims."""

from typing import Any

from fastapi import HTTPException
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from revocast.bearer import response_headers, token_of
from revocast.claims import Claims
from revocast.errors import TokenRefused
from revocast.guard import Guard


class BearerToken(SecurityBase):
    """The dependency that `requires` makes; it also documents itself in the OpenAPI document."""

    def __init__(self, guard: Guard, scopes: tuple[str, ...]) -> None:
        self.model: Any = HTTPBearerModel(bearerFormat="JWT")
        self.scheme_name = "Bearer"
        self._guard = guard
        self._scopes = scopes

    async def __call__(self, request: HTTPConnection) -> Claims:
        """The claims of the request's token.

        Raises:
            HTTPException: 400, 401, 403 or 503, with the headers of RFC 6750 section 3; the
                refusal itself is its cause.
        """
        try:
            return await self._guard.check(token_of(request.headers.raw), scopes=self._scopes)
        except TokenRefused as refused:
            headers = response_headers(refused, realm=self._guard.realm, scopes=self._scopes)
            raise HTTPException(refused.status, refused.description, headers) from refused


def requires(guard: Guard, *scopes: str) -> BearerToken:
    """A dependency that lets a request pass whose token is good and carries all of `scopes`."""
    return BearerToken(guard, scopes)
