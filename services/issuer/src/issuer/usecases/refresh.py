"""The refresh_token grant (RFC 6749 section 6): rotate, answer a retry alike, end the reused."""

import secrets
from typing import assert_never

from issuer.domain.authorization import Origin
from issuer.domain.client import Client
from issuer.domain.outcomes import Minted, Refused, ScopeRefused, TargetRefused, TryLater
from issuer.domain.refresh_token import PresentedToken, parse
from issuer.store.coalescing import OutcomeUnknownError, OverloadedError
from issuer.store.families import Families
from issuer.store.rotations import Outcome, Presentation, Rotation
from issuer.usecases.wait_for_cut import wait_for_cut
from revocast_contracts.selectors import jti_hash

RETRY_SECONDS = 1
"""What a client that we could not serve is told to wait."""


async def refresh(
    families: Families,
    client: Client,
    *,
    refresh_token: str,
    scope: frozenset[str] | None,
    resource: str | None = None,
    origin: Origin,
    correlation_id: str,
    came: float | None = None,
) -> Minted | Refused | ScopeRefused | TargetRefused | TryLater:
    """Exchange a refresh token for its successor; a reused one has ended its family on return.

    `scope` narrows the access token (RFC 6749 section 6), None keeps the family's. `came` is when
    the request was read (monotonic): what it waited for since then counts as waiting.
    """
    token = parse(refresh_token)
    if token is None or token.key_id not in families.mac_keys.keys:
        return Refused("not a refresh token of this issuer", guessed=True)
    jti = secrets.token_urlsafe(16)
    presentation = _present(families, client, token, scope, resource, jti, origin, correlation_id)
    try:
        rotation = await wait_for_cut(lambda: families.rotations.rotate(presentation, came))
    except OverloadedError:
        return TryLater("waited too long in this process", RETRY_SECONDS)
    except OutcomeUnknownError as error:
        return TryLater(f"outcome unknown: {error}", RETRY_SECONDS)
    return _answer(families, client, token, rotation, jti)


def _present(
    families: Families,
    client: Client,
    token: PresentedToken,
    scope: frozenset[str] | None,
    resource: str | None,
    jti: str,
    origin: Origin,
    correlation_id: str,
) -> Presentation:
    return Presentation(
        token=token,
        half=families.mac_keys.half(token.key_id, token.family, token.generation),
        client_id=client.client_id,
        scope=None if scope is None else " ".join(sorted(scope)),
        resource=resource,
        grace_ms=int(client.grace.total_seconds() * 1000),
        lifetime_s=int(client.access_token_lifetime.total_seconds()),
        idle_s=int(client.refresh_idle_lifetime.total_seconds()),
        jti_hash=jti_hash(jti),
        correlation_id=correlation_id,
        origin=origin,
    )


def _answer(
    families: Families, client: Client, token: PresentedToken, rotation: Rotation, jti: str
) -> Minted | Refused | ScopeRefused | TargetRefused | TryLater:
    match rotation.outcome:
        case Outcome.ROTATED | Outcome.REPLAYED:
            return _mint(families, client, token, rotation, jti)
        case Outcome.SCOPE:
            return ScopeRefused("more scope than was granted")
        case Outcome.TARGET:
            return TargetRefused("another resource than was granted")
        case Outcome.LIMITED:
            return TryLater("replayed too often within grace", RETRY_SECONDS, limited=True)
        case Outcome.TOO_SOON | Outcome.LOCKED:
            return TryLater("a kill of this very second", RETRY_SECONDS)
        case Outcome.UNPROVEN:
            return Refused("refresh token of another client, or forged", guessed=True)
        case Outcome.STALE | Outcome.DENIED:
            reason = f" ({rotation.reason})" if rotation.reason else ""
            return Refused(f"refresh token {rotation.outcome}{reason}")
        case _:
            assert_never(rotation.outcome)


def _mint(
    families: Families, client: Client, token: PresentedToken, rotation: Rotation, jti: str
) -> Minted | TryLater:
    if rotation.key_id not in families.mac_keys.keys:
        return TryLater("its successor has a MAC key that is not here yet", RETRY_SECONDS)
    scope = frozenset(rotation.scope.split())
    return Minted(
        client_id=client.client_id,
        subject=str(rotation.subject),
        scope=scope,
        resource=rotation.resource,
        jti=jti,
        issued_at=rotation.decided_at,
        expires_at=rotation.decided_at + client.access_token_lifetime,
        family=token.family,
        session=rotation.session_id,
        auth_time=rotation.auth_time,
        acr=rotation.acr,
        refresh_token=families.mac_keys.mint(
            rotation.key_id, token.family, rotation.generation, rotation.salt
        ),
    )
