"""The issuer's pages over real Postgres, and people who visit them with a browser of their own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from fastapi import FastAPI

from issuer.domain.authorization import Account
from issuer.domain.client import Client
from issuer.domain.id_token_hint import IdTokenHint
from issuer.pages import router
from issuer.store import clients
from issuer.usecases.create_account import create_account
from issuer.usecases.passwords import Passwords
from issuer.usecases.people import People
from oauth import pkce
from servicekit import problems
from servicekit.correlation import CorrelationMiddleware
from servicekit.postgres import Pool, transaction
from tests.support.issuer import CLIENT, HASH_KEY, REDIRECT_URI, VERIFIER

ISSUER = "https://id.example"
COOKIE_KEY = b"c" * 32
USERNAME = "alice"
PASSWORD = "correct horse battery staple"
ASKING = replace(CLIENT, consent_required=True)
REQUEST = {
    "response_type": "code",
    "client_id": "web",
    "redirect_uri": REDIRECT_URI,
    "scope": "openid orders.read",
    "state": "the state",
    "nonce": "a nonce",
    "code_challenge": pkce.s256(VERIFIER),
    "code_challenge_method": "S256",
}


@dataclass(slots=True)
class Issuer:
    """One issuer process: its pages, its hasher, and the ID tokens it would recognise."""

    app: FastAPI
    people: People
    hints: dict[str, IdTokenHint]
    pokes: list[None] = field(default_factory=list)

    @property
    def pool(self) -> Pool:
        """Its connections."""
        return self.people.pool

    def visitor(self, address: str = "192.0.2.1") -> "Visitor":
        """Somebody with a browser that was never here."""
        transport = httpx.ASGITransport(app=self.app, client=(address, 50_000))
        http = httpx.AsyncClient(transport=transport, base_url=ISSUER)
        http.headers["user-agent"] = "Visitor/1"
        return Visitor(http)


@asynccontextmanager
async def issuer_on(
    pool: Pool, *, url: str = ISSUER, trusted_proxies: int = 0
) -> AsyncIterator[Issuer]:
    """An issuer process on a pool, with hashes as cheap as Argon2id allows."""
    passwords = Passwords(passes=1, memory_kib=64, lanes=1)
    pokes: list[None] = []
    people = People(
        pool=pool, passwords=passwords, hash_key=HASH_KEY, poke=lambda: pokes.append(None)
    )
    hints: dict[str, IdTokenHint] = {}

    async def verify(token: str) -> IdTokenHint | None:
        return hints.get(token)

    app = FastAPI()
    problems.install(app)
    app.add_middleware(CorrelationMiddleware)
    app.include_router(
        router(
            people,
            issuer=url,
            cookie_key=COOKIE_KEY,
            verify_id_token_hint=verify,
            trusted_proxies=trusted_proxies,
        )
    )
    try:
        yield Issuer(app, people, hints, pokes)
    finally:
        passwords.close()


async def add_client(issuer: Issuer, client: Client = ASKING) -> Client:
    """Register a client."""
    async with transaction(issuer.pool) as connection:
        await clients.add(connection, client)
    return client


async def add_account(
    issuer: Issuer, username: str = USERNAME, *, scopes: frozenset[str] = frozenset({"orders.read"})
) -> Account:
    """Make an account with PASSWORD."""
    account = await create_account(
        issuer.people,
        username=username,
        password=PASSWORD,
        name="Alice Example",
        scopes=scopes,
        actor="test",
        correlation_id="test",
    )
    assert isinstance(account, Account), account
    return account


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.buttons: dict[str, tuple[str, str]] = {}
        self.tags: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        if tag == "form":
            self.action = attributes["action"]
        if tag == "input":
            self.fields[attributes["name"]] = attributes.get("value", "")
        if tag == "button":
            self.buttons[attributes["id"]] = (
                attributes.get("name", ""),
                attributes.get("value", ""),
            )

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@dataclass(slots=True)
class Page:
    """An answer that is a page: what it says, and the form on it."""

    response: httpx.Response
    action: str
    fields: dict[str, str]
    buttons: dict[str, tuple[str, str]]
    tags: list[str]
    text: str

    @classmethod
    def of(cls, response: httpx.Response) -> "Page":
        """Read a page."""
        assert response.headers["content-type"].startswith("text/html"), response.text
        reader = _Reader()
        reader.feed(response.text)
        text = " ".join(" ".join(reader.text).split())
        return cls(response, reader.action, reader.fields, reader.buttons, reader.tags, text)


class Visitor:
    """A browser and the person before it; every answer is kept as `last`."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.last: httpx.Response = httpx.Response(200)

    async def __aenter__(self) -> "Visitor":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    @property
    def page(self) -> Page:
        """The page that is open."""
        return Page.of(self.last)

    @property
    def returned(self) -> dict[str, str]:
        """The parameters that the last answer sends to the client."""
        assert self.last.status_code == 303, (self.last.status_code, self.last.text)
        target = self.last.headers["location"]
        assert target.startswith(f"{REDIRECT_URI}?"), target
        return dict(parse_qsl(urlsplit(target).query))

    async def open(self, path: str = "/authorize", **parameters: str | None) -> httpx.Response:
        """GET; parameters that are None are left out."""
        sent = {name: value for name, value in parameters.items() if value is not None}
        self.last = await self.http.get(path, params=sent or None)
        return self.last

    async def authorize(self, **changes: str | None) -> httpx.Response:
        """Open the usual authorization request, but for what is changed."""
        return await self.open("/authorize", **{**REQUEST, **changes})

    async def press(self, button: str, **filled: str) -> httpx.Response:
        """Fill the open page's form in and press a button."""
        page = self.page
        name, value = page.buttons[button]
        data: dict[str, Any] = {**page.fields, **({name: value} if name else {}), **filled}
        self.last = await self.http.post(f"/{page.action}", data=data)
        return self.last

    async def sign_in(
        self, username: str = USERNAME, password: str = PASSWORD, **changes: str | None
    ) -> httpx.Response:
        """Open the usual request and sign in."""
        await self.authorize(**changes)
        return await self.press("sign-in", username=username, password=password)

    async def allow(self, **changes: str | None) -> str:
        """Sign in and allow; the code."""
        await self.authorize(**changes)
        await self.press("sign-in", username=USERNAME, password=PASSWORD)
        await self.press("allow")
        return self.returned["code"]


async def told(pool: Pool, event: str) -> list[dict[str, Any]]:
    """The data of all events of a type (`login.failed`), in order."""
    rows = await pool.fetch(
        "SELECT data FROM outbox WHERE type = $1 ORDER BY id", f"revocast.{event}.v1"
    )
    return [row["data"] for row in rows]
