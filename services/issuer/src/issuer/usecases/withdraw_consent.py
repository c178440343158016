"""Taking a client's permission back: it ends what the permission led to."""

from uuid import UUID

from issuer.domain.authorization import Origin
from issuer.store import consents
from issuer.store.families import end_consent_families
from issuer.usecases.people import People, tell
from revocast_contracts.activity import ConsentWithdrawn
from revocast_contracts.lifecycle import EndCause
from servicekit.postgres import transaction


async def withdraw_consent(
    people: People, subject: UUID, client_id: str, *, origin: Origin, correlation_id: str
) -> int:
    """Forget the consent and end its families; how many. Again: changes and says nothing."""
    async with transaction(people.pool) as connection:
        withdrawn = await consents.withdraw(connection, subject, client_id)
        ended = await end_consent_families(
            connection,
            subject,
            client_id,
            cause=EndCause.CONSENT_WITHDRAWN,
            origin=origin,
            correlation_id=correlation_id,
        )
        if withdrawn or ended:
            event = ConsentWithdrawn(sub=str(subject), client_id=client_id, families_ended=ended)
            await tell(connection, event, about=str(subject), correlation_id=correlation_id)
    people.poke()
    return ended
