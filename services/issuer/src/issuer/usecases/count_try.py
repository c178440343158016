"""Counting tries to sign in, in the database, so that every replica knows of every try."""

import hmac
from dataclasses import dataclass, replace
from datetime import timedelta

from issuer.domain.guessing import RULES, Against, Tries
from issuer.store import guesses
from servicekit.postgres import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What one try is counted against, each as a keyed hash; `browser` is browser and account."""

    browser: bytes
    account_and_network: bytes
    account: bytes
    network: bytes

    @classmethod
    def by(cls, key: bytes, *, username: str, browser: str, network: str | None) -> "Counted":
        """A username, the browser's own cookie and a coarse network -> the buckets."""

        def bucket(against: Against, *parts: str) -> bytes:
            text = "\n".join((f"guess:{against}", *parts))
            return hmac.digest(key, text.encode(errors="replace"), "sha256")

        place = network or "unknown"
        return cls(
            browser=bucket(Against.BROWSER, browser, username),
            account_and_network=bucket(Against.ACCOUNT_AND_NETWORK, place, username),
            account=bucket(Against.ACCOUNT, username),
            network=bucket(Against.NETWORK, place),
        )

    def buckets(self, *, browser_known: bool) -> dict[bytes, Against]:
        """What limits the try: a browser that the account knows is limited by itself alone."""
        if browser_known:
            return {self.browser: Against.BROWSER}
        return {
            self.account_and_network: Against.ACCOUNT_AND_NETWORK,
            self.account: Against.ACCOUNT,
            self.network: Against.NETWORK,
        }


@dataclass(frozen=True, slots=True)
class Pause:
    """The try may not come yet. `first` says whether this pause was not yet reported."""

    length: timedelta
    first: bool


async def count_try(connection: Connection, counted: Counted) -> Pause | None:
    """Count a try before its password is looked at; a pause when it must not be looked at."""
    known = await guesses.browser_is_known(connection, counted.browser)
    buckets = counted.buckets(browser_known=known)
    held = await guesses.hold(connection, tuple(buckets))
    blocking = {
        bucket: tries for bucket, tries in held.tries.items() if tries.pause(held.now) > timedelta()
    }
    if blocking:
        told = {bucket: replace(tries, told=True) for bucket, tries in blocking.items()}
        await guesses.save(connection, told)
        length = max(tries.pause(held.now) for tries in blocking.values())
        return Pause(length, first=not all(tries.told for tries in blocking.values()))
    await guesses.save(
        connection,
        {
            bucket: tries.counted(RULES[buckets[bucket]], held.now)
            for bucket, tries in held.tries.items()
        },
    )
    return None


async def give_back_try(connection: Connection, counted: Counted) -> None:
    """The password was right: take the count back and know the browser from now on."""
    known = await guesses.browser_is_known(connection, counted.browser)
    held = await guesses.hold(connection, tuple(counted.buckets(browser_known=known)))
    given_back = {bucket: tries.given_back() for bucket, tries in held.tries.items()}
    if known:
        given_back[counted.browser] = Tries()
    await guesses.save(connection, given_back)
    await guesses.know_browser(connection, counted.browser)
