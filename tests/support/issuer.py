"""Makes what the issuer's tests begin with: a client, a sign-in, a family."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from issuer.domain.authorization import AuthorizationRequest, Origin, Session
from issuer.domain.client import Client, GrantType
from issuer.domain.outcomes import Minted, Refused, ScopeRefused, TargetRefused, TryLater
from issuer.domain.refresh_token import MacKeys
from issuer.store.codes import issue_code
from issuer.store.families import Families
from issuer.usecases.exchange_code import exchange_code
from issuer.usecases.refresh import refresh
from oauth import pkce
from revocast_contracts.selectors import subject_hash
from servicekit.postgres import Connection, Pool, transaction

VERIFIER = "v" * 43
REDIRECT_URI = "https://client.example/callback"
RESOURCE = "https://api.example"
HASH_KEY = bytes(range(32))
KEYS = {"k1": os.urandom(32), "k2": os.urandom(32)}

CLIENT = Client(
    client_id="web",
    name="Web",
    secret_sha256=bytes(32),
    grants=frozenset(GrantType),
    redirect_uris=(REDIRECT_URI,),
    post_logout_redirect_uris=(),
    scopes=frozenset({"openid", "orders.read", "orders.write"}),
    resources=(RESOURCE,),
    introspects=frozenset(),
    native=False,
    pkce_required=True,
    consent_required=False,
    grace=timedelta(seconds=10),
    access_token_lifetime=timedelta(minutes=10),
    refresh_idle_lifetime=timedelta(days=14),
    refresh_absolute_lifetime=timedelta(days=90),
    disabled=False,
)


def families_on(pool: Pool, *, active: str = "k1") -> Families:
    """The families of one issuer process on a pool; all of them share the MAC keys."""
    return Families(pool, MacKeys(KEYS, active), hash_key=HASH_KEY, poke=lambda: None)


def a_session(subject: UUID | None = None) -> Session:
    """A sign-in of this moment."""
    return Session(
        session_id=uuid4(), subject=subject or uuid4(), auth_time=datetime.now(UTC), acr="pwd"
    )


async def a_code(
    families: Families, client: Client = CLIENT, session: Session | None = None
) -> str | Refused:
    """A code for scope `openid orders.read`."""
    async with transaction(families.pool) as connection:
        return await a_code_in(connection, client, session or a_session())


async def a_code_in(connection: Connection, client: Client, session: Session) -> str | Refused:
    """The same in a transaction of the caller's."""
    request = AuthorizationRequest(
        client_id=client.client_id,
        redirect_uri=REDIRECT_URI,
        redirect_uri_given=True,
        scope=frozenset({"openid", "orders.read"}),
        resource=RESOURCE,
        state=None,
        nonce="a nonce",
        code_challenge=pkce.s256(VERIFIER),
        prompt=frozenset(),
        max_age=None,
        login_hint=None,
    )
    return await issue_code(
        connection,
        request,
        session,
        scope=request.scope,
        subject_hash=subject_hash(str(session.subject), HASH_KEY),
    )


async def redeem(
    families: Families, code: str, client: Client = CLIENT, **changed: Any
) -> Minted | Refused | TargetRefused | TryLater:
    """Present a code as its rightful client would, but for what is `changed`."""
    arguments: dict[str, Any] = {
        "code": code,
        "redirect_uri": REDIRECT_URI,
        "code_verifier": VERIFIER,
        "origin": Origin(),
        "correlation_id": "test",
    }
    return await exchange_code(families, client, **(arguments | changed))


async def a_family(
    families: Families, client: Client = CLIENT, session: Session | None = None
) -> Minted:
    """A family that has just started."""
    code = await a_code(families, client, session)
    assert isinstance(code, str)
    minted = await redeem(families, code, client)
    assert isinstance(minted, Minted)
    return minted


async def present(
    families: Families, refresh_token: str | None, client: Client = CLIENT, **changed: Any
) -> Minted | Refused | ScopeRefused | TargetRefused | TryLater:
    """Present a refresh token."""
    arguments: dict[str, Any] = {"scope": None, "origin": Origin(), "correlation_id": "test"}
    assert refresh_token is not None
    return await refresh(families, client, refresh_token=refresh_token, **(arguments | changed))


async def decided(
    families: Families, refresh_token: str | None, client: Client = CLIENT
) -> Minted | Refused | ScopeRefused | TargetRefused | TryLater:
    """Present a refresh token again for as long as 503 is the answer, as clients do."""
    while True:
        outcome = await present(families, refresh_token, client)
        if not isinstance(outcome, TryLater) or outcome.limited:
            return outcome


async def rotated(families: Families, refresh_token: str | None, client: Client = CLIENT) -> Minted:
    """Present a refresh token that has to be good."""
    minted = await present(families, refresh_token, client)
    assert isinstance(minted, Minted), minted
    return minted


def with_grace(seconds: float) -> Client:
    """The client with another grace window."""
    return replace(CLIENT, grace=timedelta(seconds=seconds))


async def events_of(pool: Pool, family: UUID | None) -> list[tuple[str, dict[str, Any]]]:
    """The outbox's events of a family in order: (type without prefix and version, data)."""
    rows = await pool.fetch("SELECT type, data FROM outbox WHERE key = $1 ORDER BY id", str(family))
    return [
        (row["type"].removeprefix("revocast.").removesuffix(".v1"), row["data"]) for row in rows
    ]
