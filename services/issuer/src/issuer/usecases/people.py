"""What the use cases about people work with."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from issuer.usecases.passwords import Passwords
from messaging import outbox
from revocast_contracts.envelope import Data, Draft
from revocast_contracts.selectors import keyed_hash
from revocast_contracts.topics import ISSUER_ACTIVITY
from servicekit.postgres import Connection, Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """The pool, the hasher, PERSONAL_DATA_HASH_KEY, and what wakes this process's relay."""

    pool: Pool
    passwords: Passwords
    hash_key: bytes
    poke: Callable[[], None]

    def username_hash(self, username: str) -> str:
        """How events name a username, typed or normalised: people type passwords into it."""
        return keyed_hash(f"username:{username}", self.hash_key)

    def stand_in(self, username: str) -> UUID:
        """Whose hash a username without an account is tried against; strangers can't foretell."""
        key = f"stand-in:{username}".encode("utf-8", "surrogatepass")
        return UUID(bytes=hmac.digest(self.hash_key, key, "sha256")[:16])


async def tell(connection: Connection, data: Data, *, about: str, correlation_id: str) -> None:
    """Write one event of `issuer-activity` to the outbox, in the caller's transaction.

    `about` is the subject, the client, or the hash of a username that no account may have.
    """
    draft = Draft(
        key=about,
        subject=about,
        time=await connection.fetchval("SELECT clock_timestamp()"),
        correlation_id=correlation_id,
        data=data,
    )
    await outbox.append(connection, ISSUER_ACTIVITY, draft)
