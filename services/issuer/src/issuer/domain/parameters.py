"""Parameters of a request, decoded strictly; what was sent twice is kept apart, not chosen from.

The authorization endpoint must know what else came with a repeated parameter, since its error goes
back to the client; `oauth.forms` refuses such a request whole.
"""

from dataclasses import dataclass

from oauth.forms import LONGEST, MOST_PARAMETERS, MalformedError, decode


@dataclass(frozen=True, slots=True)
class Parameters:
    """Values by name. A parameter without a value counts as omitted (RFC 6749 section 3.1)."""

    values: dict[str, str]
    repeated: frozenset[str]

    def get(self, name: str) -> str | None:
        """The value, or None when it was omitted or sent more than once."""
        return None if name in self.repeated else self.values.get(name)


def parse(raw: bytes) -> Parameters:
    """A query or a form's body (application/x-www-form-urlencoded) -> its parameters.

    Raises:
        MalformedError: too long, too many, a broken percent escape, not UTF-8, or a NUL.
    """
    if len(raw) > LONGEST:
        raise MalformedError("too long")
    if raw.count(b"&") >= MOST_PARAMETERS:
        raise MalformedError("too many parameters")
    values: dict[str, str] = {}
    seen: set[str] = set()
    repeated: set[str] = set()
    for pair in filter(None, raw.split(b"&")):
        name, _, value = (decode(part) for part in pair.partition(b"="))
        if name in seen:
            repeated.add(name)
        seen.add(name)
        if value:
            values[name] = value
    return Parameters(values, frozenset(repeated))
