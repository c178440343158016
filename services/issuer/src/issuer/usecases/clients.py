"""Clients: registered, switched off and on. A secret is shown once and kept as a hash."""

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta

from issuer.domain.client import Client, GrantType, Resource
from issuer.domain.registration import client_objection, resource_objection
from issuer.store import clients, cuts
from messaging import outbox
from oauth import scopes
from revocast_contracts.activity import ClientChanged, ClientRegistered
from revocast_contracts.envelope import Data, Draft
from revocast_contracts.lifecycle import ClientDisabled
from revocast_contracts.selectors import Selector, SelectorKind
from revocast_contracts.topics import ISSUER_ACTIVITY, TOKEN_LIFECYCLE, Topic
from servicekit.postgres import Connection, Pool, transaction

SECRET_BYTES = 32

DEFAULTS = Client(
    client_id="",
    name="",
    secret_sha256=None,
    grants=frozenset({GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN}),
    redirect_uris=(),
    post_logout_redirect_uris=(),
    scopes=frozenset(),
    resources=(),
    introspects=frozenset(),
    native=False,
    pkce_required=True,
    consent_required=True,
    grace=timedelta(seconds=10),
    access_token_lifetime=timedelta(minutes=10),
    refresh_idle_lifetime=timedelta(days=14),
    refresh_absolute_lifetime=timedelta(days=90),
    disabled=False,
)
"""What a client is unless it says otherwise."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A new client, and the only copy of its secret (None for a public one)."""

    client: Client
    secret: str | None


@dataclass(frozen=True, slots=True)
class RegistrationRefused:
    """Nothing was registered; `why` is for whoever asked for it."""

    why: str


async def register_client(
    pool: Pool, client: Client, *, confidential: bool, actor: str, correlation_id: str
) -> Registered | RegistrationRefused:
    """Register a client; a confidential one gets a secret."""
    why = client_objection(client, confidential=confidential)
    if why is not None:
        return RegistrationRefused(why)
    secret = secrets.token_urlsafe(SECRET_BYTES) if confidential else None
    if secret is not None:
        client = replace(client, secret_sha256=hashlib.sha256(secret.encode()).digest())
    async with transaction(pool) as connection:
        if not await clients.add(connection, client):
            return RegistrationRefused("client_id: taken")
        event = ClientRegistered(
            client_id=client.client_id,
            confidential=confidential,
            grants=tuple(sorted(client.grants)),
            redirect_uris=client.redirect_uris,
            scope=scopes.render(client.scopes),
            actor=actor,
        )
        await _tell(connection, ISSUER_ACTIVITY, client.client_id, event, correlation_id)
    return Registered(client, secret)


async def change_client(
    pool: Pool, changed: Client, *, actor: str, correlation_id: str
) -> tuple[str, ...] | RegistrationRefused:
    """Replace a client's registration; the names of the members that changed, none if none did.

    Its secret and whether it is disabled stay as they are: those have acts of their own.
    """
    async with transaction(pool) as connection:
        current = await clients.hold(connection, changed.client_id)
        if current is None:
            return RegistrationRefused("client_id: there is no such client")
        changed = replace(changed, secret_sha256=current.secret_sha256, disabled=current.disabled)
        why = client_objection(changed, confidential=current.confidential)
        if why is not None:
            return RegistrationRefused(why)
        names = clients.difference(current, changed)
        if names:
            await clients.replace_all(connection, changed)
            event = ClientChanged(client_id=changed.client_id, changed=names, actor=actor)
            await _tell(connection, ISSUER_ACTIVITY, changed.client_id, event, correlation_id)
    return names


async def disable_client(pool: Pool, client_id: str, *, actor: str, correlation_id: str) -> bool:
    """Switch a client off: nothing is issued to it, and what it holds is dead. False if it was."""
    async with transaction(pool) as connection:
        if not await clients.set_disabled(connection, client_id, disabled=True):
            return False
        selector = Selector(kind=SelectorKind.CLIENT, value=client_id)
        disabled_at = await cuts.cut(
            connection, kill_id=_disabling(client_id), selector=selector, lasting=True
        )
        event = ClientDisabled(client_id=client_id, disabled_at=disabled_at, actor=actor)
        await _tell(connection, TOKEN_LIFECYCLE, client_id, event, correlation_id)
    return True


async def enable_client(pool: Pool, client_id: str, *, actor: str, correlation_id: str) -> bool:
    """Switch a client on again. What it held before stays dead: its families are older than now."""
    async with transaction(pool) as connection:
        if not await clients.set_disabled(connection, client_id, disabled=False):
            return False
        await cuts.end_lasting(connection, kill_id=_disabling(client_id))
        event = ClientChanged(client_id=client_id, changed=("disabled",), actor=actor)
        await _tell(connection, ISSUER_ACTIVITY, client_id, event, correlation_id)
    return True


async def put_resource(pool: Pool, resource: Resource) -> RegistrationRefused | None:
    """Say how tokens for an API are made."""
    why = resource_objection(resource)
    if why is not None:
        return RegistrationRefused(why)
    async with transaction(pool) as connection:
        await clients.put_resource(connection, resource)
    return None


async def replace_secret(
    pool: Pool, client_id: str, *, actor: str, correlation_id: str
) -> str | None:
    """A new secret in place of the old one; None when there is no such confidential client."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    async with transaction(pool) as connection:
        digest = hashlib.sha256(secret.encode()).digest()
        if not await clients.set_secret(connection, client_id, digest):
            return None
        event = ClientChanged(client_id=client_id, changed=("secret",), actor=actor)
        await _tell(connection, ISSUER_ACTIVITY, client_id, event, correlation_id)
    return secret


def _disabling(client_id: str) -> str:
    return f"disabled:client:{client_id}"


async def _tell(
    connection: Connection, topic: Topic, client_id: str, data: Data, correlation_id: str
) -> None:
    draft = Draft(
        key=client_id,
        subject=client_id,
        time=await connection.fetchval("SELECT clock_timestamp()"),
        correlation_id=correlation_id,
        data=data,
    )
    await outbox.append(connection, topic, draft)
