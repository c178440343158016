"""Client credentials in HTTP Basic (RFC 6749 section 2.3.1): both halves are form-encoded."""

from base64 import b64decode
from binascii import Error as Base64Error

from oauth.forms import MalformedError, decode

LONGEST = 2048
"""Characters of the whole header value."""


def parse_basic(authorization: str) -> tuple[str, str] | None:
    """An `Authorization` header -> client id and secret; None when its scheme is another one.

    Raises:
        MalformedError: it is Basic, but not base64 of two form-encoded halves.
    """
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    if len(authorization) > LONGEST:
        raise MalformedError("the Authorization header is too long")
    try:
        raw = b64decode(encoded.strip(), validate=True)
    except (Base64Error, ValueError):
        raise MalformedError("the Authorization header is not base64") from None
    client_id, colon, secret = raw.partition(b":")
    if not colon:
        raise MalformedError("the Authorization header has no colon")
    return decode(client_id), decode(secret)
