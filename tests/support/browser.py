"""Real sockets and a real browser around the issuer's pages."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, RedirectResponse
from playwright.async_api import Browser, ConsoleMessage, Page

from tests.support.issuer_pages import REQUEST, Issuer

ARRIVED = '<!doctype html><title>Shop</title><link rel="icon" href="data:,"><h1>Arrived</h1>'


@asynccontextmanager
async def served(app: FastAPI, listener: socket.socket) -> AsyncIterator[None]:
    """An app on a socket, until the block ends."""
    server = uvicorn.Server(uvicorn.Config(app, ws="none", lifespan="off", log_config=None))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task


def listen() -> tuple[socket.socket, str]:
    """A socket on a free loopback port, and its origin."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener, f"http://127.0.0.1:{listener.getsockname()[1]}"


def shop(home: str) -> FastAPI:
    """A client's web site: a callback that shows something, and one that redirects on."""
    app = FastAPI()

    @app.get("/callback")
    async def callback() -> HTMLResponse:
        return HTMLResponse(ARRIVED)

    @app.get("/onward")
    async def onward() -> RedirectResponse:
        return RedirectResponse(f"{home}/callback", 302)

    return app


@dataclass
class World:
    """An issuer and two origins of one client, all on real sockets, and a real browser."""

    issuer: Issuer
    url: str
    shop: str
    home: str
    browser: Browser
    complaints: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def page(self, **options: Any) -> AsyncIterator[Page]:
        """A page of a browser that was never here; what it complains of is collected."""
        context = await self.browser.new_context(**options)
        page = await context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        try:
            yield page
        finally:
            await context.close()

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def request(self, **changes: str) -> str:
        """The address of an authorization request."""
        parameters = {**REQUEST, "redirect_uri": f"{self.shop}/callback", **changes}
        return f"{self.url}/authorize?{urlencode(parameters)}"
