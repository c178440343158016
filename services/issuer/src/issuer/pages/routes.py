"""Paths -> pages."""

from fastapi import APIRouter, Request, Response

from issuer.pages import authorize, consent, logout, sign_in
from issuer.pages.context import Pages, VerifyIdTokenHint
from issuer.pages.rendering import ASSETS, asset, message
from issuer.pages.sealing import Sealer
from issuer.pages.visit import Cookies
from issuer.usecases.people import People


def router(
    people: People,
    *,
    issuer: str,
    cookie_key: bytes,
    verify_id_token_hint: VerifyIdTokenHint,
    trusted_proxies: int = 0,
) -> APIRouter:
    """`/authorize`, `/sign-in`, `/consent`, `/logout` and `/assets/...`.

    Args:
        people: `People(pool=, passwords=Passwords(), hash_key=PERSONAL_DATA_HASH_KEY,
            poke=relay.poke)`; whoever made the `Passwords` closes it.
        issuer: our URL, as `iss` says it; https gives `__Host-` cookies.
        cookie_key: COOKIE_KEY, 32 random bytes; the same on every replica.
        verify_id_token_hint: an ID token's text -> its claims if one of our keys signed it, expired
            or not (OpenID Connect RP-Initiated Logout 1.0); None otherwise. Never raises for input.
        trusted_proxies: how many proxies in front of us append to `X-Forwarded-For`; with 0 the
            header is ignored.
    """
    pages = Pages(
        people=people,
        issuer=issuer,
        sealer=Sealer(cookie_key),
        cookies=Cookies(secure=issuer.startswith("https://")),
        verify_id_token_hint=verify_id_token_hint,
        trusted_proxies=trusted_proxies,
    )
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/authorize", methods=["GET", "POST"])
    async def authorization_endpoint(request: Request) -> Response:
        return await authorize.authorize(pages, request)

    @routes.post("/sign-in")
    async def submit_sign_in(request: Request) -> Response:
        return await sign_in.submit(pages, request)

    @routes.post("/consent")
    async def submit_consent(request: Request) -> Response:
        return await consent.submit(pages, request)

    @routes.get("/sign-in")
    @routes.get("/consent")
    async def opened_by_hand(request: Request) -> Response:
        response = message(
            "Nothing to do here",
            "Go back to the application and start again.",
            reference=pages.visit(request).correlation_id,
            status=405,
        )
        response.headers["Allow"] = "POST"
        return response

    @routes.api_route("/logout", methods=["GET", "POST"])
    async def end_session_endpoint(request: Request) -> Response:
        return await logout.logout(pages, request)

    @routes.get("/assets/{name}")
    async def asset_file(name: str) -> Response:
        if name not in ASSETS:
            return Response(status_code=404)
        headers = {
            "Cache-Control": "public, max-age=31536000, immutable",
            "X-Content-Type-Options": "nosniff",
        }
        return Response(asset(name), media_type=ASSETS[name], headers=headers)

    return routes
