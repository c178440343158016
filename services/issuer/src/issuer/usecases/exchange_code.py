"""The authorization_code grant (RFC 6749 section 4.1.3): a code starts a family, once."""

import os
import secrets

from issuer.domain.authorization import Origin
from issuer.domain.client import Client, GrantType
from issuer.domain.outcomes import Minted, Refused, TargetRefused, TryLater
from issuer.store.codes import Redemption, redeem_code
from issuer.store.families import Families
from issuer.usecases.wait_for_cut import wait_for_cut
from oauth import pkce
from revocast_contracts.envelope import uuid7
from revocast_contracts.selectors import jti_hash


async def exchange_code(
    families: Families,
    client: Client,
    *,
    code: str,
    redirect_uri: str | None,
    code_verifier: str | None,
    resource: str | None = None,
    origin: Origin,
    correlation_id: str,
) -> Minted | Refused | TargetRefused | TryLater:
    """Redeem a code. A late replay of one has ended the family it started when this returns."""
    challenge = None
    if code_verifier is not None:
        if not pkce.verifier_is_valid(code_verifier):
            return Refused("code_verifier is not of the form of RFC 7636 section 4.1")
        challenge = pkce.s256(code_verifier)
    family, salt, jti = uuid7(), os.urandom(32), secrets.token_urlsafe(16)
    refreshable = GrantType.REFRESH_TOKEN in client.grants

    async def redeem() -> Redemption:
        async with families.pool.acquire() as connection:  # one statement: it commits by itself
            return await redeem_code(
                connection,
                client,
                code=code,
                redirect_uri=redirect_uri,
                challenge=challenge,
                resource=resource,
                family=family,
                salt=salt,
                key_id=families.mac_keys.active,
                refreshable=refreshable,
                jti_hash=jti_hash(jti),
                origin=origin,
                correlation_id=correlation_id,
                clock=families.clock,
            )

    redemption = await wait_for_cut(redeem)
    families.poke()
    if redemption.outcome == "too_soon":
        return TryLater("a kill of this very second", 1)
    if redemption.outcome == "target":
        return TargetRefused("another resource than was granted")
    if redemption.outcome != "redeemed":
        guessed = redemption.outcome in {"unknown", "other_client", "redirect_uri", "challenge"}
        return Refused(f"code not redeemed: {redemption.outcome}", guessed=guessed)
    scope = frozenset(redemption.scope.split())
    token = families.mac_keys.mint(families.mac_keys.active, family, 1, salt)
    return Minted(
        client_id=client.client_id,
        subject=str(redemption.subject),
        scope=scope,
        resource=redemption.resource,
        jti=jti,
        issued_at=redemption.decided_at,
        expires_at=redemption.decided_at + client.access_token_lifetime,
        family=family,
        session=redemption.session_id,
        auth_time=redemption.auth_time,
        acr=redemption.acr,
        refresh_token=token if refreshable else None,
        id_token="openid" in scope,
        nonce=redemption.nonce,
    )
