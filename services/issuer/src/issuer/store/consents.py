"""Consents: what somebody allowed a client at a resource, until it is withdrawn."""

from uuid import UUID

from servicekit.postgres import Connection


async def remembered(
    connection: Connection, subject: UUID, client_id: str, resource: str
) -> frozenset[str]:
    """The scopes that were allowed; empty when none were.

    They stay allowed until the transaction ends: a withdrawal waits, and ends what came of them.
    The issuing lock comes first, as with whoever remembers a consent after issuing its code.
    """
    scopes = await connection.fetchval(
        "SELECT hold_consent($1, $2, $3)", subject, client_id, resource
    )
    return frozenset(scopes or ())


async def remember(
    connection: Connection, subject: UUID, client_id: str, resource: str, scope: frozenset[str]
) -> bool:
    """Add to what is allowed; whether that added anything."""
    status = await connection.execute(
        """
        INSERT INTO consent (subject, client_id, resource, scopes, granted_at)
        VALUES ($1, $2, $3, $4, clock_timestamp())
        ON CONFLICT (subject, client_id, resource) DO UPDATE SET
            scopes = ARRAY(SELECT DISTINCT unnest(consent.scopes || EXCLUDED.scopes) ORDER BY 1),
            granted_at = EXCLUDED.granted_at
        WHERE NOT consent.scopes @> EXCLUDED.scopes
        """,
        subject,
        client_id,
        resource,
        sorted(scope),
    )
    return status == "INSERT 0 1"


async def withdraw(connection: Connection, subject: UUID, client_id: str) -> bool:
    """Forget everything that was allowed to a client; whether there was anything."""
    status = await connection.execute(
        "DELETE FROM consent WHERE subject = $1 AND client_id = $2", subject, client_id
    )
    return status != "DELETE 0"
