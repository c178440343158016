"""What the SDK's tests are made of: clocks that are set by hand, keys, tokens and records."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from revocast.claims import Claims
from revocast.clock import Clock
from revocast.feed import Intake
from revocast.revocations import Revocations
from revocast.stats import Stats
from revocast_contracts import codec
from revocast_contracts.envelope import Data, Draft
from revocast_contracts.lifetimes import ENTRY_LIFETIME
from revocast_contracts.revocations import (
    EntryCause,
    EntryState,
    RevocationEntry,
    RevocationWatermark,
)
from revocast_contracts.selectors import Selector, SelectorKind
from revocast_contracts.topics import WATERMARK_SOURCES

AUDIENCE = "https://api.example"
ISSUER = "https://issuer.example"
NOW = 1_700_000_000


@dataclass
class HandClock:
    """A clock that stands still until it is moved."""

    wall: float = NOW
    monotonic: float = 1000.0

    def clock(self) -> Clock:
        return Clock(wall=lambda: self.wall, monotonic=lambda: self.monotonic)

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


@dataclass(frozen=True)
class SigningKey:
    kid: str
    alg: str
    private: Any

    def jwk(self, **more: Any) -> dict[str, Any]:
        kinds: dict[str, Any] = {"ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}
        public = kinds.get(self.alg, RSAAlgorithm).to_jwk(self.private.public_key(), as_dict=True)
        return {**public, "kid": self.kid, "alg": self.alg, "use": "sig", **more}


@cache
def signing_key(alg: str = "ES256", kid: str = "key-1") -> SigningKey:
    match alg:
        case "ES256":
            private: Any = ec.generate_private_key(ec.SECP256R1())
        case "EdDSA":
            private = ed25519.Ed25519PrivateKey.generate()
        case _:
            private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return SigningKey(kid, alg, private)


def members(now: float | None = None, **changes: Any) -> dict[str, Any]:
    """The claims of an access token as our issuer makes them; a change to None removes one."""
    issued_at = int(time.time() if now is None else now)
    standard = {
        "iss": ISSUER,
        "sub": "person-1",
        "aud": AUDIENCE,
        "client_id": "web",
        "scope": "orders.read orders.write",
        "jti": "token-1",
        "iat": issued_at,
        "exp": issued_at + 600,
        "auth_time": issued_at - 60,
        "acr": "1",
        "sid": "session-1",
        "family": "family-1",
        "subject_hash": "subject-hash-1",
    }
    return {name: value for name, value in (standard | changes).items() if value is not None}


def sign(
    claims: Mapping[str, Any],
    key: SigningKey | None = None,
    typ: str | None = "at+jwt",
    **header: Any,
) -> str:
    key = key or signing_key()
    headers = {"kid": key.kid, "typ": typ, **header}
    return jwt.encode(dict(claims), key.private, algorithm=key.alg, headers=headers)


def claims(**changes: Any) -> Claims:
    """Verified claims, for what only looks at them."""
    standard: dict[str, Any] = {
        "iss": ISSUER,
        "sub": "person-1",
        "aud": (AUDIENCE,),
        "client_id": "web",
        "scopes": frozenset({"orders.read"}),
        "jti": "token-1",
        "iat": NOW,
        "exp": NOW + 600,
        "kid": "key-1",
        "sid": "session-1",
        "family": "family-1",
        "subject_hash": "subject-hash-1",
    }
    return Claims(**(standard | changes))


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def entry(
    kind: SelectorKind = SelectorKind.FAMILY,
    value: str = "family-1",
    *,
    entry_id: str = "entry-1",
    not_before: float | None = None,
    expires_at: float | None = None,
    pending: bool = False,
) -> RevocationEntry:
    if expires_at is None:
        expires_at = time.time() + ENTRY_LIFETIME.total_seconds()
    return RevocationEntry(
        entry_id=entry_id,
        selector=Selector(kind=kind, value=value),
        state=EntryState.PENDING if pending else EntryState.APPLIED,
        not_before=None if not_before is None else at(not_before),
        expires_at=at(expires_at),
        cause=EntryCause.KILL,
    )


def watermark(through: float | None = None, **sources: float) -> RevocationWatermark:
    """All sources at `through`, by default now; single ones overridden by name."""
    through = time.time() if through is None else through
    times = {source: at(through) for source in WATERMARK_SOURCES}
    return RevocationWatermark(sources=times | {name: at(when) for name, when in sources.items()})


def record(data: Data, *, epoch: int = 1, seq: int = 0) -> tuple[bytes, bytes]:
    """Key and value as the revocation service's relay writes them."""
    match data:
        case RevocationEntry():
            key = f"{data.selector}/{data.entry_id}/{data.state}"
        case _:
            key = "watermark"
    draft = Draft(key=key, subject=key, time=datetime.now(UTC), correlation_id="test", data=data)
    return key.encode(), codec.encode(
        codec.place(draft, source="revocation", shard=0, epoch=epoch, seq=seq)
    )


@dataclass
class HandFeed:
    """A feed whose records are handed over by the test instead of by a broker."""

    clock: Clock
    stats: Stats = field(default_factory=Stats)
    running: bool = False

    def __post_init__(self) -> None:
        self.intake = Intake(self.clock, self.stats)

    @property
    def revocations(self) -> Revocations:
        return self.intake.revocations

    async def start(self) -> None:
        self.running = True

    async def stop(self) -> None:
        self.running = False

    def staleness(self) -> timedelta | None:
        seconds = self.intake.freshness.staleness()
        return None if seconds is None else timedelta(seconds=seconds)

    def trouble(self, max_staleness: timedelta) -> str | None:
        return self.intake.trouble(max_staleness)

    def say(self, *said: Data) -> None:
        for data in said:
            self.intake.take(*record(data))

    def be_fresh(self) -> None:
        self.intake.reached_end()
        self.say(watermark(self.clock.wall()))
