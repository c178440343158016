"""Sign-ins. Only a live one is ever found: not expired, not cut, its account not switched off."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from issuer.domain.authorization import Account, Session, SignedIn
from servicekit.postgres import Connection

IDLE = timedelta(hours=8)
"""Unused for a working day, a sign-in is over."""

ABSOLUTE = timedelta(hours=24)
"""Nobody stays signed in for longer without typing the password again."""

COOKIE_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A new sign-in, and the only copy of its cookie's value."""

    session: Session
    cookie: str


def cookie_sha256(cookie: str) -> bytes:
    """What the database knows of a cookie."""
    return hashlib.sha256(cookie.encode(errors="replace")).digest()


async def start(connection: Connection, subject: UUID, *, subject_hash: str, acr: str) -> Started:
    """Sign somebody in under a new session and cookie."""
    cookie = secrets.token_urlsafe(COOKIE_BYTES)
    session_id = uuid4()
    auth_time: datetime = await connection.fetchval(
        """
        INSERT INTO session (id, cookie_sha256, subject, subject_hash, auth_time, acr,
            idle_expires_at, absolute_expires_at)
        SELECT $1, $2, $3, $4, now, $5, now + $6::interval, now + $7::interval
        FROM clock_timestamp() AS now RETURNING auth_time
        """,
        session_id,
        cookie_sha256(cookie),
        subject,
        subject_hash,
        acr,
        IDLE,
        ABSOLUTE,
    )
    session = Session(session_id=session_id, subject=subject, auth_time=auth_time, acr=acr)
    return Started(session=session, cookie=cookie)


async def renew(connection: Connection, session_id: UUID, *, acr: str) -> Started:
    """The same person signed in again: same `sid`, new cookie, new times. The row must be held."""
    cookie = secrets.token_urlsafe(COOKIE_BYTES)
    row = await connection.fetchrow(
        """
        UPDATE session SET cookie_sha256 = $2, auth_time = now, acr = $3,
            idle_expires_at = now + $4::interval, absolute_expires_at = now + $5::interval
        FROM clock_timestamp() AS now WHERE id = $1
        RETURNING id AS session_id, subject, auth_time, acr
        """,
        session_id,
        cookie_sha256(cookie),
        acr,
        IDLE,
        ABSOLUTE,
    )
    assert row is not None  # noqa: S101 -- the caller holds the row's lock
    return Started(session=Session(**dict(row)), cookie=cookie)


async def hold(connection: Connection, cookie: str) -> SignedIn | None:
    """The live sign-in of a cookie, locked against an ending until the transaction ends.

    Using it puts its idle expiry off, at most once a minute.
    """
    row = await connection.fetchrow(
        """
        SELECT s.id, s.auth_time, s.acr, s.idle_expires_at - clock_timestamp() AS idle_left,
            a.subject, a.username, a.password_hash, a.name, a.email, a.scopes, a.disabled
        FROM session s JOIN account a USING (subject)
        WHERE s.cookie_sha256 = $1 AND NOT a.disabled
            AND clock_timestamp() < least(s.idle_expires_at, s.absolute_expires_at)
            AND NOT coalesce(cut_of(ARRAY[
                'subject:' || s.subject_hash, 'session:' || s.id, 'issuer']) >= s.auth_time, false)
        FOR UPDATE OF s
        """,
        cookie_sha256(cookie),
    )
    if row is None:
        return None
    if row["idle_left"] < IDLE - timedelta(minutes=1):
        await connection.execute(
            "UPDATE session SET idle_expires_at = clock_timestamp() + $2::interval WHERE id = $1",
            row["id"],
            IDLE,
        )
    session = Session(
        session_id=row["id"], subject=row["subject"], auth_time=row["auth_time"], acr=row["acr"]
    )
    account = Account(
        subject=row["subject"],
        username=row["username"],
        password_hash=row["password_hash"],
        name=row["name"],
        email=row["email"],
        scopes=frozenset(row["scopes"]),
        disabled=row["disabled"],
    )
    return SignedIn(session=session, account=account)


async def end(connection: Connection, session_id: UUID) -> bool:
    """Delete a sign-in, so that its cookie is worth nothing; whether it was there."""
    status = await connection.execute("DELETE FROM session WHERE id = $1", session_id)
    return status == "DELETE 1"


async def delete_expired(connection: Connection, *, limit: int) -> int:
    """Delete up to `limit` sign-ins that are over; how many. Families outlive them on purpose."""
    status = await connection.execute(
        """
        DELETE FROM session WHERE id IN (
            SELECT id FROM session
            WHERE least(idle_expires_at, absolute_expires_at) < clock_timestamp()
            ORDER BY absolute_expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)
        """,
        limit,
    )
    return int(status.removeprefix("DELETE "))
