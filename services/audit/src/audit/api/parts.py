"""What the routes are made of; `app.py` puts it together."""

from dataclasses import dataclass

from revocast import Guard
from servicekit.postgres import Pool

READ = "audit.read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The pool to read from, and the guard of every route."""

    pool: Pool
    guard: Guard
