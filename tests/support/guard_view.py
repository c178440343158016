"""What guards come to know of an issuer's database: its events become entries, as in production."""

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

from issuer.domain.outcomes import Minted
from issuer.store.families import Families
from issuer.usecases.apply_kill import apply_kill
from issuer.usecases.introspect_token import access_token_is_live
from messaging.rows import COLUMNS, event_of
from revocast.claims import Claims
from revocast.revocations import Revocations
from revocast_contracts.envelope import Event
from revocast_contracts.lifecycle import KillApplied
from revocast_contracts.lifetimes import ENTRY_LIFETIME
from revocast_contracts.revocations import EntryCause, EntryState, RevocationEntry
from revocast_contracts.selectors import Selector, SelectorKind, subject_hash
from revocast_contracts.topics import TOKEN_LIFECYCLE
from revocation.usecases.complete_kills import Applied
from revocation.usecases.complete_kills import _entry as applied_entry
from revocation.usecases.publish_entries import _entry as fact_entry
from revocation.usecases.publish_entries import fact_of
from servicekit.postgres import Pool
from tests.support.issuer import HASH_KEY

ISSUER = "https://id.example"


@dataclass(slots=True)
class GuardView:
    """A guard's entries, kept up with one issuer's outbox by `catch_up`."""

    families: Families
    revocations: Revocations = field(default_factory=Revocations)
    _heard: int = 0

    @property
    def pool(self) -> Pool:
        """The issuer's connections."""
        return self.families.pool

    async def catch_up(self) -> None:
        """Take what the issuer told since the last time."""
        rows = await self.pool.fetch(
            f"SELECT {COLUMNS} FROM outbox WHERE id > $1 AND topic = $2 ORDER BY id",  # noqa: S608 -- a constant
            self._heard,
            TOKEN_LIFECYCLE.noun,
        )
        for row in rows:
            self._hear(event_of(row, source="issuer"))
            self._heard = row["id"]

    def _hear(self, event: Event) -> None:
        fact = fact_of(event)
        if fact is not None:
            self.revocations.add(fact_entry(fact, {}))
        if isinstance(event.data, KillApplied):
            applied = Applied(kill=event.data, correlation_id=event.correlationid)
            self.revocations.add(applied_entry(applied).entry)

    def decide(self, selector: Selector) -> RevocationEntry:
        """A kill is decided: guards hear of it as pending."""
        entry = RevocationEntry(
            entry_id=str(uuid4()),
            selector=selector,
            state=EntryState.PENDING,
            expires_at=datetime.now(UTC) + ENTRY_LIFETIME,
            cause=EntryCause.KILL,
        )
        self.revocations.add(entry)
        return entry

    async def kill(self, kind: SelectorKind, value: object) -> RevocationEntry:
        """A kill, decided, applied by the issuer, and completed."""
        entry = self.decide(Selector(kind=kind, value=str(value)))
        await apply_kill(self.pool, entry, correlation_id="a kill", poke=lambda: None)
        await self.catch_up()
        return entry

    def accepts(self, token: Minted) -> bool:
        """Whether a guard lets a token pass."""
        return self.revocations.denies(claims_of(token)) is None

    async def issuer_accepts(self, token: Minted) -> bool:
        """Whether introspection and userinfo call it live."""
        claims = claims_of(token)
        return await access_token_is_live(
            self.families,
            jti=claims.jti,
            family=None if claims.family is None else UUID(claims.family),
            session=None if claims.sid is None else UUID(claims.sid),
            subject=claims.sub,
            client_id=claims.client_id,
            issued_at=datetime.fromtimestamp(claims.iat, UTC),
        )


def claims_of(token: Minted) -> Claims:
    """What its access token says."""
    return Claims(
        iss=ISSUER,
        sub=token.subject,
        aud=(token.resource,),
        client_id=token.client_id,
        scopes=token.scope,
        jti=token.jti,
        iat=math.floor(token.issued_at.timestamp()),
        exp=math.floor(token.expires_at.timestamp()),
        kid="a-key",
        sid=None if token.session is None else str(token.session),
        family=None if token.family is None else str(token.family),
        subject_hash=subject_hash(token.subject, HASH_KEY),
    )
