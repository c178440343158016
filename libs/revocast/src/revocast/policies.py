"""What a guard does with a good token while it cannot know whether that was revoked.

A token that is known to be revoked is refused under every policy.
"""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Made by `closed`, `open` and `bounded` only. `max_age` None: any age is accepted."""

    name: str
    max_age: timedelta | None

    def accepts(self, age_seconds: float) -> bool:
        """Whether a token of that age may pass while the guard is not ready."""
        return self.max_age is None or age_seconds < self.max_age.total_seconds()


closed = Policy(name="closed", max_age=timedelta.min)  # not 0: by leeway, ages may be negative
"""Refuse with 503: no token passes that might have been revoked unnoticed."""

open = Policy(name="open", max_age=None)
"""Accept: as a resource server without Revocast would, until the guard is ready again."""


def bounded(max_token_age: timedelta) -> Policy:
    """Accept only tokens issued less than `max_token_age` ago, as if all tokens were short-lived.

    Raises:
        ValueError: the age is not positive.
    """
    if max_token_age <= timedelta(0):
        raise ValueError("max_token_age must be positive")
    return Policy(name="bounded", max_age=max_token_age)
