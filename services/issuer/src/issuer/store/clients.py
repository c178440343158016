"""Clients and the APIs that their tokens may be for."""

from dataclasses import fields
from typing import Any

from issuer.domain.client import Client, GrantType, Resource
from servicekit.postgres import Connection

_COLUMNS = (
    "client_id, name, secret_sha256, grants, redirect_uris, post_logout_redirect_uris, scopes,"
    " resources, introspects, native, pkce_required, consent_required, grace,"
    " access_token_lifetime, refresh_idle_lifetime, refresh_absolute_lifetime, disabled"
)
_RESOURCE_SCOPES = (
    "(SELECT jsonb_object_agg(r.uri, r.scopes) FROM resource r WHERE r.uri = ANY (resources))"
    " AS resource_scopes"
)
_STORED = [each.name for each in fields(Client) if each.name != "resource_scopes"]


async def find(connection: Connection, client_id: str) -> Client | None:
    """The client of an id, disabled ones included."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS}, {_RESOURCE_SCOPES} FROM client WHERE client_id = $1",  # noqa: S608 -- a constant
        client_id,
    )
    return None if row is None else _client(row)


async def find_all(connection: Connection) -> list[Client]:
    """Every client, by id."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS}, {_RESOURCE_SCOPES} FROM client ORDER BY client_id",  # noqa: S608 -- a constant
    )
    return [_client(row) for row in rows]


async def add(connection: Connection, client: Client) -> bool:
    """Add a client; False when its id is taken."""
    values = [_column(getattr(client, name)) for name in _STORED]
    names = ", ".join(_STORED)
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    status = await connection.execute(
        f"INSERT INTO client ({names}) VALUES ({places}) ON CONFLICT DO NOTHING",  # noqa: S608 -- field names
        *values,
    )
    return bool(status == "INSERT 0 1")


async def hold(connection: Connection, client_id: str) -> Client | None:
    """The client of an id, locked until the transaction ends."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS}, {_RESOURCE_SCOPES} FROM client WHERE client_id = $1 FOR UPDATE",  # noqa: S608 -- a constant
        client_id,
    )
    return None if row is None else _client(row)


async def replace_all(connection: Connection, client: Client) -> None:
    """Write every member of a client that the caller holds."""
    places = ", ".join(f"{name} = ${number}" for number, name in enumerate(_STORED, start=1))
    await connection.execute(
        f"UPDATE client SET {places} WHERE client_id = $1",  # noqa: S608 -- field names
        *(_column(getattr(client, name)) for name in _STORED),
    )


def difference(one: Client, other: Client) -> tuple[str, ...]:
    """The names of the stored members in which two clients differ."""
    return tuple(name for name in _STORED if getattr(one, name) != getattr(other, name))


async def set_disabled(connection: Connection, client_id: str, *, disabled: bool) -> bool:
    """Switch a client off or on; False when nothing changed."""
    status = await connection.execute(
        "UPDATE client SET disabled = $2 WHERE client_id = $1 AND disabled <> $2",
        client_id,
        disabled,
    )
    return bool(status == "UPDATE 1")


async def set_secret(connection: Connection, client_id: str, secret_sha256: bytes) -> bool:
    """Replace a confidential client's secret; False when there is no such client."""
    status = await connection.execute(
        "UPDATE client SET secret_sha256 = $2 WHERE client_id = $1 AND secret_sha256 IS NOT NULL",
        client_id,
        secret_sha256,
    )
    return bool(status == "UPDATE 1")


async def find_resources(connection: Connection) -> dict[str, Resource]:
    """Every API by its URI."""
    rows = await connection.fetch("SELECT uri, profile, alg, scopes FROM resource")
    return {
        row["uri"]: Resource(
            uri=row["uri"],
            profile=row["profile"],
            alg=row["alg"],
            scopes=frozenset(row["scopes"]),
        )
        for row in rows
    }


async def put_resource(connection: Connection, resource: Resource) -> None:
    """Add an API, or change how its tokens are made."""
    await connection.execute(
        "INSERT INTO resource (uri, profile, alg, scopes) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (uri) DO UPDATE SET profile = $2, alg = $3, scopes = $4",
        resource.uri,
        resource.profile,
        resource.alg,
        sorted(resource.scopes),
    )


def _client(row: Any) -> Client:
    members = dict(row)
    for name in ("scopes", "introspects"):
        members[name] = frozenset(members[name])
    for name in ("redirect_uris", "post_logout_redirect_uris", "resources"):
        members[name] = tuple(members[name])
    known = members["resource_scopes"] or {}
    members["resource_scopes"] = {uri: frozenset(scopes) for uri, scopes in known.items()}
    members["grants"] = frozenset(GrantType(each) for each in members["grants"])
    return Client(**members)


def _column(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else value
