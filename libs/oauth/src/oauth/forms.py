"""application/x-www-form-urlencoded, read strictly: nothing is guessed and nothing is repeated."""

import re
from urllib.parse import unquote_to_bytes

CONTENT_TYPE = "application/x-www-form-urlencoded"
LONGEST = 64 * 1024
"""Bytes of a whole form: the largest thing in one is a JWT of a few KiB."""
MOST_PARAMETERS = 100
"""No request of any RFC we speak has half as many."""

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class MalformedError(ValueError):
    """What was sent is no such form. `str()` says why, without what was sent."""


def parse_form(body: bytes, content_type: str | None) -> dict[str, str]:
    """A request body -> its parameters; empty ones count as omitted (RFC 6749 section 3.1).

    The content type's parameters are ignored: clients name charsets that mean nothing here.

    Raises:
        MalformedError: another content type, more than `LONGEST` bytes or `MOST_PARAMETERS`,
            repeated parameters, bad escapes, NUL characters or invalid UTF-8.
    """
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type != CONTENT_TYPE:
        raise MalformedError(f"the content type must be {CONTENT_TYPE}")
    return parse_parameters(body)


def parse_parameters(raw: bytes) -> dict[str, str]:
    """A query string or form -> its parameters; a repeated one is refused even when empty.

    Raises:
        MalformedError: as `parse_form`.
    """
    if len(raw) > LONGEST:
        raise MalformedError("too long")
    pairs = raw.split(b"&", MOST_PARAMETERS)
    if len(pairs) > MOST_PARAMETERS:
        raise MalformedError("too many parameters")
    parameters: dict[str, str] = {}
    for pair in pairs:
        if not pair:
            continue
        name, _, value = pair.partition(b"=")
        decoded = decode(name)
        if decoded in parameters:
            raise MalformedError("a parameter is repeated")
        parameters[decoded] = decode(value)
    return {name: value for name, value in parameters.items() if value}


def decode(raw: bytes) -> str:
    """One name or value -> text.

    Raises:
        MalformedError: a bad percent escape, a NUL character or invalid UTF-8.
    """
    if _BAD_ESCAPE.search(raw):
        raise MalformedError("a percent sign is not followed by two hexadecimal digits")
    try:
        text = unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedError("not UTF-8") from None
    if "\x00" in text:
        raise MalformedError("a NUL character")
    return text
