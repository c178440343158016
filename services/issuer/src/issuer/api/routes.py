"""Paths -> endpoints."""

import hashlib
import json

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from issuer.api.introspect import introspect
from issuer.api.metadata import OPENID_PATH, metadata, oauth_path
from issuer.api.parts import Parts
from issuer.api.revoke import revoke
from issuer.api.token import token
from issuer.api.userinfo import userinfo

DOCUMENT_SECONDS = 300
"""How long caches may keep documents and keys: half of what a new key waits before it signs."""


def router(parts: Parts) -> APIRouter:
    """The machine-facing endpoints of an issuer."""
    routes = APIRouter()

    @routes.post("/token")
    async def token_endpoint(request: Request) -> Response:
        return await token(parts, request)

    @routes.post("/revoke")
    async def revocation_endpoint(request: Request) -> Response:
        return await revoke(parts, request)

    @routes.post("/introspect")
    async def introspection_endpoint(request: Request) -> Response:
        return await introspect(parts, request)

    @routes.api_route("/userinfo", methods=["GET", "POST"])
    async def userinfo_endpoint(request: Request) -> Response:
        return await userinfo(parts, request)

    @routes.get("/.well-known/jwks.json")
    async def jwks(request: Request) -> Response:
        return _document(request, {"keys": list(parts.keyring.published.values())})

    @routes.get(OPENID_PATH)
    @routes.get(oauth_path(parts.issuer))
    async def document(request: Request) -> Response:
        scopes = await parts.clients.scopes()
        return _document(
            request, metadata(parts.issuer, scopes=scopes, id_token_algs=[parts.id_token_alg])
        )

    return routes


def _document(request: Request, body: dict[str, object]) -> Response:
    etag = f'"{hashlib.sha256(json.dumps(body).encode()).hexdigest()[:32]}"'
    headers = {"Cache-Control": f"public, max-age={DOCUMENT_SECONDS}", "ETag": etag}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return JSONResponse(body, headers=headers)
