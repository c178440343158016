"""What a guard counted since it was made: plain numbers, for whatever metrics its owner uses."""

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Stats:
    """Counters that only rise. Read them at scrape time; nothing here needs a metrics library."""

    accepted: int = 0
    """Tokens let through, those of `accepted_while_stale` included."""
    accepted_while_stale: int = 0
    """Tokens let through by `open` or `bounded` although the guard was not ready."""
    invalid: int = 0
    """Tokens refused for their signature, form, times or claims."""
    revoked: int = 0
    """Tokens refused because an entry denies them."""
    insufficient_scope: int = 0
    """Good tokens that lack a required scope."""
    unavailable: int = 0
    """Requests refused because the guard could not know and its policy said so."""
    entries: int = 0
    """Entries read, repeats included."""
    watermarks: int = 0
    """Watermarks read."""
    unreadable: int = 0
    """Records that are no event of the contracts; each makes the guard unready."""
    unknown_types: int = 0
    """Events of types newer than this SDK; they are skipped."""
    feed_rebuilds: int = 0
    """Times the feed threw its consumer away and read the whole log again."""
    hook_failures: int = 0
    """Times `on_entry` raised; it is called again with the same entry."""
    key_fetches: int = 0
    """Attempts to fetch the issuer's keys."""
    key_fetch_failures: int = 0
    """Attempts that failed."""
    key_file_failures: int = 0
    """Times the key file on disk could not be used or written."""
