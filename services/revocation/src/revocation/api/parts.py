"""What the routes are made of; `app.py` puts it together."""

from collections.abc import Callable
from dataclasses import dataclass

from revocast import Guard
from revocation.usecases.wait_for_kill import Completions
from servicekit.postgres import Pool

READ = "revocations.read"
WRITE = "revocations.write"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """`wait_seconds` is how long a POST waits unless it says so itself, up to `longest_wait`."""

    pool: Pool
    guard: Guard
    issuer_url: str
    hash_key: bytes
    poke: Callable[[], None]
    completions: Completions
    wait_seconds: float
    longest_wait_seconds: float
