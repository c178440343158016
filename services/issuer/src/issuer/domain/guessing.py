"""The limit on guessing: a few free tries, then growing pauses that always end.

A pause has a greatest length and failures are forgotten, so nobody is locked out for ever. A
browser that has signed in to an account before has its own count, which strangers cannot fill.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

FORGOTTEN_AFTER = timedelta(hours=1)
"""Without a failure for this long, a count starts at zero again."""


class Against(StrEnum):
    """What tries are counted against."""

    BROWSER = "browser"
    ACCOUNT_AND_NETWORK = "account_and_network"
    ACCOUNT = "account"
    NETWORK = "network"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`free` tries without a pause; then pauses from one second, doubling up to `longest`."""

    free: int
    longest: timedelta


RULES = {
    # The person's own typing mistakes, in a browser that knows the account.
    Against.BROWSER: Rule(free=5, longest=timedelta(minutes=5)),
    # Somebody who guesses one account's password from one place: about 100 tries a day.
    Against.ACCOUNT_AND_NETWORK: Rule(free=5, longest=timedelta(minutes=15)),
    # The same from many places: the pause is short, since it also meets the person on a new device.
    Against.ACCOUNT: Rule(free=30, longest=timedelta(minutes=1)),
    # One password tried on many accounts; generous, because an office shares a network.
    Against.NETWORK: Rule(free=100, longest=timedelta(minutes=5)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tries:
    """One count. A try is counted before the password is looked at, and given back if it was right:
    so parallel guesses can't outrun the count. `told` says whether this pause was reported."""

    failures: int = 0
    last_at: datetime | None = None
    blocked_until: datetime | None = None
    told: bool = False

    def pause(self, now: datetime) -> timedelta:
        """How long to wait before the next try; zero when it may come now."""
        if self.blocked_until is None or self.blocked_until <= now:
            return timedelta()
        return self.blocked_until - now

    def counted(self, rule: Rule, now: datetime) -> "Tries":
        """This try counted as a failure."""
        forgotten = self.last_at is None or now - self.last_at >= FORGOTTEN_AFTER
        failures = 1 if forgotten else self.failures + 1
        over = failures - rule.free
        pause = min(timedelta(seconds=2 ** min(over - 1, 30)), rule.longest) if over > 0 else None
        return Tries(
            failures=failures, last_at=now, blocked_until=now + pause if pause else None, told=False
        )

    def given_back(self) -> "Tries":
        """The try was no failure after all, nor was the pause it began."""
        return replace(self, failures=max(self.failures - 1, 0), blocked_until=None)
