"""The client_credentials grant (RFC 6749 section 4.4): a token for the client; no family."""

import secrets

from issuer.domain.authorization import Origin
from issuer.domain.client import Client
from issuer.domain.outcomes import Minted, Refused, TryLater
from issuer.store.client_tokens import ClientTokenRequest
from issuer.store.families import Families
from issuer.usecases.wait_for_cut import wait_for_cut
from revocast_contracts.selectors import jti_hash, subject_hash


async def issue_for_client(
    families: Families,
    client: Client,
    *,
    scope: frozenset[str],
    resource: str,
    origin: Origin,
    correlation_id: str,
) -> Minted | Refused | TryLater:
    """A token whose subject is the client (RFC 9068 section 2.2); never with a refresh token."""
    jti = secrets.token_urlsafe(16)
    asked = ClientTokenRequest(
        client_id=client.client_id,
        subject_hash=subject_hash(client.client_id, families.hash_key),
        scope=" ".join(sorted(scope)),
        resource=resource,
        lifetime_s=int(client.access_token_lifetime.total_seconds()),
        jti_hash=jti_hash(jti),
        origin=origin,
        correlation_id=correlation_id,
    )
    token = await wait_for_cut(lambda: families.client_tokens.ask(asked))
    if token.outcome == "too_soon":
        return TryLater("a kill of this very second", 1)
    if token.outcome != "issued":
        return Refused("the client is disabled")
    return Minted(
        client_id=client.client_id,
        subject=client.client_id,
        scope=scope,
        resource=resource,
        jti=jti,
        issued_at=token.decided_at,
        expires_at=token.decided_at + client.access_token_lifetime,
    )
