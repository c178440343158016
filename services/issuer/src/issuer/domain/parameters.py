"""Parameters of a request, decoded strictly; what was sent twice is kept apart, not chosen from."""

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

LONGEST = 64 * 1024
MOST = 100

_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class MalformedError(ValueError):
    """The bytes are no parameters. `str()` says why, without the bytes."""


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
    if raw.count(b"&") >= MOST:
        raise MalformedError("too many parameters")
    if _BROKEN_ESCAPE.search(raw):
        raise MalformedError("a percent sign without two hexadecimal digits")
    values: dict[str, str] = {}
    seen: set[str] = set()
    repeated: set[str] = set()
    for pair in filter(None, raw.split(b"&")):
        name, _, value = (_decode(part) for part in pair.partition(b"="))
        if name in seen:
            repeated.add(name)
        seen.add(name)
        if value:
            values[name] = value
    return Parameters(values, frozenset(repeated))


def _decode(part: bytes) -> str:
    try:
        text = unquote_to_bytes(part.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise MalformedError("not UTF-8") from None
    if "\0" in text:
        raise MalformedError("a NUL character")
    return text
