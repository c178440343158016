"""Paths -> endpoints, but for those of `oauth_endpoints`."""

import hashlib
import json
from typing import Any

from fastapi import APIRouter, Request, Response

from issuer.api.metadata import OPENID_PATH, metadata, oauth_path, path_of
from issuer.api.parts import Parts
from issuer.api.userinfo import userinfo

DOCUMENT_SECONDS = 300
"""How long caches may keep documents and keys: half of what a new key waits before it signs."""

READ = ["GET", "HEAD"]


def router(parts: Parts) -> APIRouter:
    """The documents, the keys and userinfo of an issuer, under the path of its URL."""
    routes = APIRouter(include_in_schema=False)
    path = path_of(parts.issuer)

    @routes.api_route(f"{path}/userinfo", methods=["GET", "POST"])
    async def userinfo_endpoint(request: Request) -> Response:
        return await userinfo(parts, request)

    @routes.api_route(f"{path}/.well-known/jwks.json", methods=READ)
    async def jwks(request: Request) -> Response:
        return _document(request, {"keys": [key.jwk for key in parts.keyring.published.values()]})

    @routes.api_route(f"{path}{OPENID_PATH}", methods=READ)
    @routes.api_route(oauth_path(parts.issuer), methods=READ)
    async def document(request: Request) -> Response:
        scopes = await parts.clients.scopes()
        return _document(request, metadata(parts.issuer, scopes=scopes))

    return routes


def _document(request: Request, body: dict[str, Any]) -> Response:
    content = json.dumps(body, separators=(",", ":")).encode()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"Cache-Control": f"public, max-age={DOCUMENT_SECONDS}", "ETag": etag}
    if _has_it(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)


def _has_it(if_none_match: str, etag: str) -> bool:
    """Weak comparison (RFC 9110 section 13.1.2)."""
    named = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    return bool(named & {"*", etag})
