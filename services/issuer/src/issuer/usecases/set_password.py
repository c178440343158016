"""Giving an account another password: an administrator's act."""

from issuer.domain import password as password_rules
from issuer.domain.username import normalise
from issuer.store import accounts
from issuer.usecases.create_account import AccountRefused
from issuer.usecases.people import People, tell
from revocast_contracts.activity import AccountPasswordSet
from servicekit.postgres import transaction


async def set_password(
    people: People, *, username: str, password: str, actor: str, correlation_id: str
) -> AccountRefused | None:
    """Replace an account's password; why not, or None when it is done.

    Raises:
        BusyError: too many passwords wait to be hashed.
    """
    normalised = normalise(username)
    if normalised is None:
        return AccountRefused("username: there is no such account")
    objection = password_rules.objection(password, normalised)
    if objection is not None:
        return AccountRefused(f"password: {objection}")
    password_hash = await people.passwords.hash(password)
    async with transaction(people.pool) as connection:
        account = await accounts.find_by_username(connection, normalised)
        if account is None:
            return AccountRefused("username: there is no such account")
        await accounts.set_password_hash(connection, account.subject, password_hash)
        event = AccountPasswordSet(sub=str(account.subject), actor=actor)
        await tell(connection, event, about=str(account.subject), correlation_id=correlation_id)
    people.poke()
    return None
