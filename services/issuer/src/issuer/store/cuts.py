"""Cuts: nothing of a selector from before a moment. The one place that ends much at once."""

from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, UUID, uuid5

from messaging import outbox
from revocast_contracts.envelope import Draft
from revocast_contracts.lifecycle import KillApplied, TokenRevoked
from revocast_contracts.selectors import Selector, SelectorKind
from revocast_contracts.topics import TOKEN_LIFECYCLE
from servicekit.postgres import Connection

PATIENCE = "1s"
"""How long a kill waits for what is being issued, and everybody else behind it. It takes
milliseconds unless a replica froze inside a transaction; then the others pass and it comes back."""

ANSWERED_AGAIN_AFTER = timedelta(seconds=30)
"""A repeated kill is answered again at most this often, however many replicas read the repeat."""


def cut_selector(selector: Selector) -> str:
    """How the issuer's tables write a selector; the issuer itself needs no value."""
    if selector.kind is SelectorKind.ISSUER:
        return "issuer"
    return f"{selector.kind}:{selector.value}"


async def cut(
    connection: Connection, *, kill_id: str, selector: Selector, lasting: bool
) -> datetime:
    """Cut a selector off, once per kill id; the moment from before which everything is dead."""
    row = await connection.fetchrow(
        "SELECT applied_at FROM apply_cut($1, $2, $3)", kill_id, cut_selector(selector), lasting
    )
    assert row is not None  # noqa: S101 -- the function returns one row on every path
    applied_at: datetime = row["applied_at"]
    return applied_at


async def apply_kill(
    connection: Connection, *, kill_id: str, selector: Selector, correlation_id: str
) -> datetime:
    """Apply an operator's or the detector's kill and say so; a repeat gets the first answer.

    Raises:
        LockNotAvailableError: something is being issued for longer than `PATIENCE`; try again.
    """
    await connection.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
    row = await connection.fetchrow(
        "SELECT * FROM apply_cut($1, $2, false)", kill_id, cut_selector(selector)
    )
    assert row is not None  # noqa: S101 -- the function returns one row on every path
    applied_at: datetime = row["applied_at"]
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    if row["fresh"] or now - row["answered_at"] > ANSWERED_AGAIN_AFTER:
        draft = Draft(
            id=_answer_id(kill_id),
            key=kill_id,
            subject=kill_id,
            time=applied_at,
            correlation_id=correlation_id,
            data=KillApplied(kill_id=kill_id, selector=selector, applied_at=applied_at),
        )
        await outbox.append(connection, TOKEN_LIFECYCLE, draft)
    return applied_at


async def is_applied(connection: Connection, *, kill_id: str) -> bool:
    """Whether this kill id was applied before."""
    applied: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM cut WHERE kill_id = $1)", kill_id
    )
    return applied


async def end_lasting(connection: Connection, *, kill_id: str) -> None:
    """Something that was disabled is enabled again; what is older than this moment stays dead."""
    await connection.execute("SELECT end_lasting($1)", kill_id)


async def revoke_jti(
    connection: Connection,
    *,
    jti_hash: str,
    family: str | None,
    session: str | None,
    sub: str,
    client_id: str,
    exp: datetime,
    correlation_id: str,
) -> None:
    """Kill one access token; revoking it again changes and says nothing."""
    revoked_at = await connection.fetchval(
        "INSERT INTO cut (kill_id, selector, applied_at, answered_at)"
        " SELECT $1, $1, now, now FROM clock_timestamp() AS now"
        " ON CONFLICT DO NOTHING RETURNING applied_at",
        f"jti:{jti_hash}",
    )
    if revoked_at is None:
        return
    revoked = TokenRevoked(
        jti_hash=jti_hash,
        family=family,
        session=session,
        sub=sub,
        client_id=client_id,
        exp=exp,
        revoked_at=revoked_at,
    )
    key = family or client_id
    draft = Draft(
        key=key, subject=key, time=revoked_at, correlation_id=correlation_id, data=revoked
    )
    await outbox.append(connection, TOKEN_LIFECYCLE, draft)


def _answer_id(kill_id: str) -> UUID:
    """One id for every answer to a kill, so that a repeat is no second record."""
    return uuid5(NAMESPACE_URL, f"revocast:kill:{kill_id}")
