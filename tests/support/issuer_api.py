"""The issuer's endpoints and pages over real Postgres; its feed is set by hand."""

from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from hashlib import sha256
from typing import Any

import httpx
from pydantic import SecretStr

from issuer.api.oauth_endpoints import OAuthEndpoints
from issuer.api.parts import Parts
from issuer.app import bare_app, make_parts, mount
from issuer.domain.client import Client, GrantType, Resource
from issuer.domain.refresh_token import MacKeys
from issuer.settings import IssuerSettings
from issuer.signing.keys import SigningKey, generate, seal
from issuer.store import clients, signing_keys
from issuer.usecases.clients import put_resource
from issuer.usecases.passwords import Passwords
from issuer.usecases.people import People
from revocast import Revocations
from servicekit.postgres import Pool, transaction
from tests.support.issuer import CLIENT, HASH_KEY, KEYS, REDIRECT_URI, RESOURCE, VERIFIER, a_code
from tests.support.issuer_pages import Visitor

ISSUER = "https://id.example"
KEY_ENCRYPTION_KEY = bytes(range(100, 132))
COOKIE_KEY = b"c" * 32
SECRET = "the secret of web"
OTHER_SECRET = "the secret of other"
MACHINE_SECRET = "the secret of machine"
API_SECRET = "the secret of api"

REPORTS = "https://reports.example"

WEB = replace(
    CLIENT,
    secret_sha256=sha256(SECRET.encode()).digest(),
    consent_required=True,
    resources=(RESOURCE, REPORTS),
)
OTHER = replace(WEB, client_id="other", secret_sha256=sha256(OTHER_SECRET.encode()).digest())
SPA = replace(WEB, client_id="spa", secret_sha256=None)
MACHINE = replace(
    WEB,
    client_id="machine",
    secret_sha256=sha256(MACHINE_SECRET.encode()).digest(),
    grants=frozenset({GrantType.CLIENT_CREDENTIALS}),
    redirect_uris=(),
    scopes=frozenset({"orders.read", "orders.write"}),
    resources=(RESOURCE, REPORTS),
)
API = replace(
    MACHINE,
    client_id="api",
    secret_sha256=sha256(API_SECRET.encode()).digest(),
    grants=frozenset(),
    scopes=frozenset(),
    introspects=frozenset({"web", "spa", "machine"}),
)


@dataclass(slots=True)
class HandFeed:
    """A feed that is as fresh as the test says; `why` is its trouble."""

    why: str | None = None
    revocations: Revocations = field(default_factory=Revocations)

    async def start(self) -> None:
        """Nothing to begin."""

    async def stop(self) -> None:
        """Nothing to end."""

    def staleness(self) -> timedelta | None:
        """Fresh, unless there is trouble."""
        return None if self.why else timedelta(0)

    def trouble(self, max_staleness: timedelta) -> str | None:
        """What the test set."""
        assert max_staleness > timedelta(0)
        return self.why


@dataclass(slots=True)
class Api:
    """One issuer process."""

    app: OAuthEndpoints
    parts: Parts
    people: People
    feed: HandFeed
    http: httpx.AsyncClient

    @property
    def pool(self) -> Pool:
        """Its connections."""
        return self.people.pool

    def visitor(self) -> Visitor:
        """Somebody with a browser that was never here."""
        return Visitor(a_caller(self.app))

    async def post(
        self, path: str, form: Mapping[str, str], *, auth: tuple[str, str] | None = None
    ) -> httpx.Response:
        """A form; `auth` is client id and secret for HTTP Basic."""
        basic = httpx.BasicAuth(*auth) if auth else httpx.USE_CLIENT_DEFAULT
        return await self.http.post(path, data=dict(form), auth=basic)

    async def token(
        self, grant_type: str, *, auth: tuple[str, str] | None = ("web", SECRET), **form: str
    ) -> httpx.Response:
        """A token request; as `web` unless it says otherwise."""
        return await self.post("/token", {"grant_type": grant_type, **form}, auth=auth)

    async def redeem(
        self, code: str, *, auth: tuple[str, str] | None = ("web", SECRET), **changed: str | None
    ) -> httpx.Response:
        """Present a code of `web` as its rightful client would, but for what is changed."""
        form = {"code": code, "redirect_uri": REDIRECT_URI, "code_verifier": VERIFIER, **changed}
        present = {name: value for name, value in form.items() if value is not None}
        return await self.token("authorization_code", auth=auth, **present)

    async def tokens(self) -> dict[str, Any]:
        """The first tokens of a new family of `web`."""
        code = await a_code(self.parts.families, WEB)
        assert isinstance(code, str)
        return good(await self.redeem(code))

    async def machine_token(self, **form: str) -> dict[str, Any]:
        """A token that `machine` got for itself."""
        auth = ("machine", MACHINE_SECRET)
        return good(await self.token("client_credentials", auth=auth, **form))

    async def introspect(
        self, token: str, *, auth: tuple[str, str] = ("api", API_SECRET), **form: str
    ) -> dict[str, Any]:
        """What `api` is told of a token."""
        return good(await self.post("/introspect", {"token": token, **form}, auth=auth))


def good(response: httpx.Response) -> dict[str, Any]:
    """The body of an answer that has to be good."""
    assert response.status_code == 200, (response.status_code, response.text)
    body: dict[str, Any] = response.json()
    return body


def error(response: httpx.Response) -> tuple[int, str]:
    """Status and code of an OAuth error (RFC 6749 section 5.2)."""
    assert response.headers["content-type"] == "application/json", response.text
    return response.status_code, response.json()["error"]


def a_caller(app: OAuthEndpoints, base_url: str = ISSUER) -> httpx.AsyncClient:
    """An HTTP client before an app; what the app raises is answered as a server would."""
    transport = httpx.ASGITransport(
        app=app, client=("192.0.2.1", 50_000), raise_app_exceptions=False
    )
    return httpx.AsyncClient(transport=transport, base_url=base_url)


def settings(url: str = ISSUER) -> IssuerSettings:
    """Settings for a process on the keys that all tests share."""
    keys = MacKeys(KEYS, "k1")
    return IssuerSettings(
        url=url,
        database_url=SecretStr("postgresql://unused"),
        kafka_bootstrap="unused:9092",
        key_encryption_key=SecretStr(b64encode(KEY_ENCRYPTION_KEY).decode()),
        refresh_mac_keys=SecretStr(
            ",".join(f"{name}:{b64encode(key).decode()}" for name, key in keys.keys.items())
        ),
        cookie_key=SecretStr(b64encode(COOKIE_KEY).decode()),
        personal_data_hash_key=SecretStr(b64encode(HASH_KEY).decode()),
    )


@asynccontextmanager
async def api_on(pool: Pool, url: str = ISSUER) -> AsyncIterator[Api]:
    """An issuer process on a pool, with hashes as cheap as Argon2id allows and no keys yet."""
    passwords = Passwords(passes=1, memory_kib=64, lanes=1)
    feed = HandFeed()
    parts = make_parts(settings(url), pool, feed, poke=lambda: None)
    people = People(pool=pool, passwords=passwords, hash_key=HASH_KEY, poke=lambda: None)
    inner = bare_app(url)
    mount(inner, parts, people, cookie_key=COOKIE_KEY)
    app = OAuthEndpoints(inner, url)
    async with a_caller(app, url) as http:
        try:
            yield Api(app, parts, people, feed, http)
        finally:
            passwords.close()


@cache
def _a_key(alg: str) -> SigningKey:
    return generate(alg)


async def lend_keys(pool: Pool) -> None:
    """The session's keys: an RSA key takes longer to make than a test."""
    async with transaction(pool) as connection:
        for key in (_a_key("ES256"), _a_key("RS256")):
            await signing_keys.add(
                connection,
                kid=key.kid,
                alg=key.alg,
                sealed_private=seal(key, KEY_ENCRYPTION_KEY),
                public_jwk=key.public_jwk,
                signs_after=timedelta(0),
            )


async def add_clients(pool: Pool, *registered: Client) -> None:
    """Register clients whose secrets the tests know."""
    async with transaction(pool) as connection:
        for client in registered:
            assert await clients.add(connection, client)


async def add_api(pool: Pool, uri: str, **how: Any) -> None:
    """Say how tokens for an API are made."""
    standard: dict[str, Any] = {"profile": "rfc9068", "alg": "ES256", "scopes": frozenset()}
    assert await put_resource(pool, Resource(uri=uri, **(standard | how))) is None
