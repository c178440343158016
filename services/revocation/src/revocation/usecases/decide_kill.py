"""An operator's request becomes a decision: kill, signal and pending entry in one transaction."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from messaging import outbox
from revocast_contracts.envelope import Draft, uuid7
from revocast_contracts.lifetimes import ENTRY_LIFETIME
from revocast_contracts.revocations import EntryCause, EntryState, RevocationEntry
from revocast_contracts.selectors import Selector, SelectorKind, subject_hash
from revocast_contracts.signals import KillDecided
from revocast_contracts.topics import SECURITY_SIGNALS
from revocation.store import entries, kills
from revocation.store.entries import CausedEntry
from revocation.store.kills import Kill
from servicekit.postgres import Connection, Pool, transaction

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class KillRequest:
    """What was asked for. `selector` names the subject itself, and a `jti` by its hash."""

    selector: Selector
    reason: str
    actor: str
    idempotency_key: str | None
    correlation_id: str


@dataclass(frozen=True, slots=True)
class KeyReused:
    """The idempotency key belongs to another request; nothing was decided."""


async def decide_kill(
    pool: Pool, request: KillRequest, *, hash_key: bytes, poke: Callable[[], None]
) -> Kill | KeyReused:
    """Decide a kill once per idempotency key and actor; a repeat gets the kill of the first."""
    async with transaction(pool) as connection:
        kill = _kill(request, await connection.fetchval("SELECT clock_timestamp()"))
        key = _idempotency_sha256(request)
        if not await kills.decide(connection, [kill], idempotency_sha256=key):
            return await _earlier(connection, kill, key)
        await announce(connection, [kill], cause=EntryCause.KILL, hash_key=hash_key)
    poke()
    _log.info("kill decided", kill=kill.id, selector=kill.selector.kind.value)
    return kill


async def announce(
    connection: Connection, decided: list[Kill], *, cause: EntryCause, hash_key: bytes
) -> None:
    """Tell everybody of new kills: the signal with its reason, and the entry that kills at once."""
    for kill in decided:
        data = KillDecided(
            kill_id=kill.id,
            selector=kill.selector,
            cause=kill.cause,
            actor=kill.actor,
            reason=kill.reason,
        )
        selector = str(published(kill.selector, hash_key))
        signal = Draft(
            key=selector,
            subject=selector,
            time=kill.decided_at,
            correlation_id=kill.correlation_id,
            data=data,
        )
        await outbox.append(connection, SECURITY_SIGNALS, signal)
    await entries.add(connection, [_pending(kill, cause, hash_key) for kill in decided])


def published(selector: Selector, hash_key: bytes) -> Selector:
    """A kill's selector as it stands on the revocations topic."""
    if selector.kind is SelectorKind.SUBJECT:
        return Selector(kind=selector.kind, value=subject_hash(selector.value, hash_key))
    return selector


def request_sha256(selector: Selector, reason: str) -> bytes:
    """What tells one request from another under the same idempotency key."""
    return _sha256(str(selector), reason)


async def _earlier(connection: Connection, kill: Kill, key: bytes | None) -> Kill | KeyReused:
    earlier = await kills.read_by_idempotency(connection, key) if key else None
    if earlier is None or earlier.request_sha256 != kill.request_sha256:
        return KeyReused()
    return earlier


def _pending(kill: Kill, cause: EntryCause, hash_key: bytes) -> CausedEntry:
    entry = RevocationEntry(
        entry_id=kill.id,
        selector=published(kill.selector, hash_key),
        state=EntryState.PENDING,
        expires_at=kill.decided_at + ENTRY_LIFETIME,
        cause=cause,
    )
    return CausedEntry(entry=entry, correlation_id=kill.correlation_id)


def _kill(request: KillRequest, now: datetime) -> Kill:
    return Kill(
        id=str(uuid7()),
        selector=request.selector,
        cause="operator",
        actor=request.actor,
        reason=request.reason,
        decided_at=now,
        applied_at=None,
        correlation_id=request.correlation_id,
        request_sha256=request_sha256(request.selector, request.reason),
    )


def _idempotency_sha256(request: KillRequest) -> bytes | None:
    if request.idempotency_key is None:
        return None
    return _sha256(request.actor, request.idempotency_key)


def _sha256(*parts: str) -> bytes:
    return hashlib.sha256(json.dumps(parts).encode()).digest()
