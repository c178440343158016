"""Signing in with a password: counted before it is looked at, refused without saying why."""

from dataclasses import asdict, dataclass
from datetime import timedelta

from issuer.domain.authorization import Account, Origin, SignedIn
from issuer.domain.username import normalise
from issuer.store import accounts, sessions
from issuer.usecases.count_try import Counted, count_try, give_back_try
from issuer.usecases.end_session import end_held_session
from issuer.usecases.people import People, tell
from revocast_contracts.activity import LoginFailed, LoginSucceeded
from revocast_contracts.lifecycle import Network
from revocast_contracts.selectors import subject_hash
from servicekit.postgres import Connection, transaction

ACR = "password"
"""The `acr` of a sign-in by password alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try. `browser` is the browser's own cookie, `session_cookie` the sign-in it held."""

    username: str
    password: str
    browser: str
    session_cookie: str | None
    client_id: str | None
    origin: Origin
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Entered:
    """Signed in; the browser gets `cookie` in place of whatever it had."""

    signed_in: SignedIn
    cookie: str


@dataclass(frozen=True, slots=True)
class WrongCredentials:
    """No such account, a wrong password or an account that is switched off: nobody learns which."""


@dataclass(frozen=True, slots=True)
class Limited:
    """Too many tries; the password was not looked at."""

    seconds: int


async def sign_in(people: People, attempt: Attempt) -> Entered | WrongCredentials | Limited:
    """Verify a password and start a session, or say nothing but no.

    Raises:
        BusyError: too many passwords wait to be checked.
    """
    username = normalise(attempt.username)
    counted = Counted.by(
        people.hash_key,
        username=username or attempt.username,
        browser=attempt.browser,
        network=attempt.origin.network,
    )
    async with transaction(people.pool) as connection:
        pause = await count_try(connection, counted)
        if pause and pause.first:
            await _tell_failure(people, connection, attempt, reason="limited")
        account = await accounts.find_by_username(connection, username or "")
        stand_in = people.stand_in(username or attempt.username)
        others = await accounts.hash_near(connection, stand_in)
    if pause:
        people.poke()
        return Limited(max(1, -(-pause.length // timedelta(seconds=1))))
    verified = await _verify(people, account, attempt.password, others=others)
    async with transaction(people.pool) as connection:
        entered = None
        if verified and await accounts.hold_enabled(connection, verified.account):
            await give_back_try(connection, counted)
            entered = await _enter(people, connection, verified, attempt)
        if entered is None:
            await _tell_failure(people, connection, attempt, reason="credentials")
    people.poke()
    return entered or WrongCredentials()


@dataclass(frozen=True, slots=True)
class _Verified:
    account: Account
    new_hash: str | None


async def _verify(
    people: People, account: Account | None, password: str, *, others: str | None
) -> _Verified | None:
    """Without an account the work is done on the hash of another one: where the parameters have
    changed, unknown names are as old or as new as known ones, in the same proportion."""
    stored = account.password_hash if account else others
    if not await people.passwords.verify(stored, password) or account is None:
        return None
    outdated = people.passwords.is_outdated(account.password_hash)
    return _Verified(account, await people.passwords.hash(password) if outdated else None)


async def _enter(
    people: People, connection: Connection, verified: _Verified, attempt: Attempt
) -> Entered:
    account = verified.account
    if verified.new_hash is not None:
        await accounts.set_password_hash(connection, account.subject, verified.new_hash)
    started = await _start(people, connection, account, attempt)
    event = LoginSucceeded(
        sub=str(account.subject),
        session=str(started.session.session_id),
        client_id=attempt.client_id,
        acr=ACR,
        origin=Network(**asdict(attempt.origin)),
    )
    await tell(connection, event, about=str(account.subject), correlation_id=attempt.correlation_id)
    return Entered(SignedIn(session=started.session, account=account), started.cookie)


async def _start(
    people: People, connection: Connection, account: Account, attempt: Attempt
) -> sessions.Started:
    """One browser has one sign-in: the same person renews it, another person ends it first."""
    earlier = None
    if attempt.session_cookie is not None:
        earlier = await sessions.hold(connection, attempt.session_cookie)
    if earlier is not None and earlier.session.subject == account.subject:
        return await sessions.renew(connection, earlier.session.session_id, acr=ACR)
    if earlier is not None:
        await end_held_session(
            connection,
            earlier.session.session_id,
            earlier.session.subject,
            origin=attempt.origin,
            correlation_id=attempt.correlation_id,
        )
    key = subject_hash(str(account.subject), people.hash_key)
    return await sessions.start(connection, account.subject, subject_hash=key, acr=ACR)


async def _tell_failure(
    people: People, connection: Connection, attempt: Attempt, *, reason: str
) -> None:
    username_hash = people.username_hash(normalise(attempt.username) or attempt.username)
    event = LoginFailed(
        username_hash=username_hash,
        client_id=attempt.client_id,
        reason=reason,
        origin=Network(**asdict(attempt.origin)),
    )
    await tell(connection, event, about=username_hash, correlation_id=attempt.correlation_id)
