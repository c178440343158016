"""RFC 7009: a client takes back what it was given; never counted as reuse."""

import hmac
from datetime import datetime
from uuid import UUID

from issuer.domain.authorization import Origin
from issuer.domain.client import Client
from issuer.domain.refresh_token import parse
from issuer.store.cuts import revoke_jti
from issuer.store.families import Families, end_family, read_family
from messaging.level import require_level
from revocast_contracts.lifecycle import EndCause
from revocast_contracts.selectors import jti_hash
from servicekit.postgres import transaction


async def revoke_refresh_token(
    families: Families, client: Client, token: str, *, origin: Origin, correlation_id: str
) -> None:
    """End the family of a refresh token of any generation; silent when it is not this client's.

    Raises:
        CannotConnectNowError: the family may be one that a restored database does not know yet.
    """
    presented = parse(token)
    if presented is None or presented.key_id not in families.mac_keys.keys:
        return
    async with transaction(families.pool) as connection:
        family = await read_family(connection, presented.family)
        if family is None:
            await require_level(connection)
        if family is None or family.client_id != client.client_id:
            return
        expected = families.mac_keys.mint(
            presented.key_id, presented.family, presented.generation, family.salt
        )
        if not hmac.compare_digest(expected.encode(), token.encode()):
            return
        await end_family(
            connection,
            presented.family,
            cause=EndCause.REVOKE_ENDPOINT,
            origin=origin,
            correlation_id=correlation_id,
        )
    families.poke()


async def revoke_access_token(
    families: Families,
    client: Client,
    *,
    jti: str,
    family: UUID | None,
    session: UUID | None,
    subject: str,
    expires_at: datetime,
    correlation_id: str,
) -> None:
    """Kill one access token, whose signature and client the caller has verified."""
    async with transaction(families.pool) as connection:
        await revoke_jti(
            connection,
            jti_hash=jti_hash(jti),
            family=None if family is None else str(family),
            session=None if session is None else str(session),
            sub=subject,
            client_id=client.client_id,
            exp=expires_at,
            correlation_id=correlation_id,
        )
    families.poke()
