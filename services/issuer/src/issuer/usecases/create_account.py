"""Making an account: an administrator's act, from the command line or an API."""

import re
from dataclasses import dataclass
from uuid import uuid4

from issuer.domain import password as password_rules
from issuer.domain.authorization import Account
from issuer.domain.username import normalise
from issuer.store import accounts
from issuer.usecases.people import People, tell
from oauth import scopes as oauth_scopes
from revocast_contracts.activity import AccountCreated
from servicekit.postgres import transaction

LONGEST_NAME = 200
_EMAIL = re.compile(r"[^\s@\x00-\x1f\ud800-\udfff]{1,64}@[^\s@\x00-\x1f\ud800-\udfff]{1,255}")


@dataclass(frozen=True, slots=True)
class AccountRefused:
    """No account was made; `why` is for whoever asked for it."""

    why: str


async def create_account(
    people: People,
    *,
    username: str,
    password: str,
    name: str,
    email: str | None = None,
    scopes: frozenset[str] = frozenset(),
    actor: str,
    correlation_id: str,
) -> Account | AccountRefused:
    """A new account that may allow clients these scopes (and `openid`, `profile`, `email`).

    Raises:
        BusyError: too many passwords wait to be hashed.
    """
    normalised = normalise(username)
    if normalised is None:
        return AccountRefused("username: 1 to 128 characters without spaces or control characters")
    objection = password_rules.objection(password, normalised)
    if objection is not None:
        return AccountRefused(f"password: {objection}")
    if not 1 <= len(name.strip()) <= LONGEST_NAME or not name.isprintable():
        return AccountRefused(f"name: 1 to {LONGEST_NAME} printable characters")
    if email is not None and not _EMAIL.fullmatch(email):
        return AccountRefused("email: one address")
    if not all(map(oauth_scopes.is_valid, scopes)):
        return AccountRefused("scope: each must be a scope token (RFC 6749 section 3.3)")
    account = Account(
        subject=uuid4(),
        username=normalised,
        password_hash=await people.passwords.hash(password),
        name=name,
        email=email,
        scopes=scopes,
        disabled=False,
    )
    async with transaction(people.pool) as connection:
        added = await accounts.add(connection, account)
        if added:
            created = AccountCreated(
                sub=str(account.subject),
                username_hash=people.username_hash(normalised),
                scope=" ".join(sorted(scopes)),
                actor=actor,
            )
            await tell(
                connection, created, about=str(account.subject), correlation_id=correlation_id
            )
    people.poke()
    return account if added else AccountRefused("username: taken")
