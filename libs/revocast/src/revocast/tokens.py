"""A token's text -> its verified claims. Whatever comes in, the only error is InvalidToken.

Nothing of the payload is looked at before the signature is verified.
"""

import json
import math
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NoReturn

from revocast.claims import Claims
from revocast.errors import InvalidToken
from revocast.jwks import LONGEST_KID, Key
from revocast_contracts.lifetimes import LONGEST_ACCESS_TOKEN

Profile = Literal["at+jwt", "jwt"]
"""`at+jwt`: RFC 9068. `jwt`: also `typ: JWT`, for APIs whose other parts know no other type."""

LONGEST_TOKEN = 8192
"""Characters. Larger than a proxy's usual limit on a header, so nothing real is refused."""

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_TYPES = {
    "at+jwt": frozenset({"at+jwt", "application/at+jwt"}),
    "jwt": frozenset({"at+jwt", "application/at+jwt", "jwt", "application/jwt"}),
}
_OF_ID_TOKENS = ("nonce", "at_hash", "c_hash", "s_hash")
_LATEST_TIME = 2**40


@dataclass(frozen=True, slots=True, kw_only=True)
class Unverified:
    """A token taken apart: only the header was read, and nothing is verified yet."""

    kid: str
    algorithm: str
    signing_input: bytes
    payload: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a token has to be to be accepted here. `leeway` is in seconds."""

    issuer: str
    audience: str
    algorithms: frozenset[str]
    profile: Profile
    leeway: float

    def parse(self, token: str) -> Unverified:
        """Take a token apart and check its header (RFC 7515, RFC 9068 section 4).

        Raises:
            InvalidToken: it has not the form of a token that could be accepted here.
        """
        if len(token) > LONGEST_TOKEN:
            _refuse("longer than a token may be")
        parts = _COMPACT.fullmatch(token)
        if parts is None:
            _refuse("not a signed token in compact form")
        header = _json_object(_base64url(parts[1]))
        algorithm, kid, typ = header.get("alg"), header.get("kid"), header.get("typ")
        if not isinstance(algorithm, str) or algorithm not in self.algorithms:
            _refuse("algorithm not allowed")
        if not isinstance(typ, str) or typ.lower() not in _TYPES[self.profile]:
            _refuse("typ is not that of an access token")
        if not isinstance(kid, str) or not 0 < len(kid) <= LONGEST_KID:
            _refuse("no usable kid")
        if "crit" in header or "b64" in header:
            _refuse("critical header members")
        return Unverified(
            kid=kid,
            algorithm=algorithm,
            signing_input=f"{parts[1]}.{parts[2]}".encode("ascii"),
            payload=_base64url(parts[2]),
            signature=_base64url(parts[3]),
        )

    def verify(self, token: Unverified, key: Key, now: float) -> Claims:
        """Check the signature, then every claim (RFC 9068 sections 2.2 and 4).

        Raises:
            InvalidToken: a check failed.
        """
        if not key.verifies(token.algorithm, token.signing_input, token.signature):
            _refuse("signature not verified")
        members = _json_object(token.payload)
        self._check_place(members)
        issued_at, expires_at = self._check_times(members, now)
        return _claims(members, kid=token.kid, iat=issued_at, exp=expires_at)

    def _check_place(self, members: Mapping[str, Any]) -> None:
        if members.get("iss") != self.issuer:
            _refuse("issued by somebody else")
        if self.audience not in _audience(members):
            _refuse("meant for another resource server")
        if any(name in members for name in _OF_ID_TOKENS):
            _refuse("an ID token")
        if "cnf" in members:
            _refuse("bound to a key, which is not checked here")

    def _check_times(self, members: Mapping[str, Any], now: float) -> tuple[int, int]:
        issued_at, expires_at = _time(members, "iat"), _time(members, "exp")
        if now >= expires_at + self.leeway:
            _refuse("expired")
        if issued_at > now + self.leeway:
            _refuse("issued in the future")
        if "nbf" in members and _time(members, "nbf") > now + self.leeway:
            _refuse("not valid yet")
        if not 0 < expires_at - issued_at <= LONGEST_ACCESS_TOKEN.total_seconds():
            _refuse("lives longer than an entry would deny it")
        return issued_at, expires_at


def _claims(members: dict[str, Any], *, kid: str, iat: int, exp: int) -> Claims:
    client_id, subject = _text(members, "client_id"), _text(members, "sub")
    subject_hash = _text_or_none(members, "subject_hash")
    if subject_hash is None and subject != client_id:
        _refuse("no subject_hash, so that no revocation of its subject could reach it")
    auth_time = _time(members, "auth_time") if "auth_time" in members else None
    return Claims(
        iss=_text(members, "iss"),
        sub=subject,
        aud=_audience(members),
        client_id=client_id,
        scopes=_scopes(members),
        jti=_text(members, "jti"),
        iat=iat,
        exp=exp,
        kid=kid,
        sid=_text_or_none(members, "sid"),
        family=_text_or_none(members, "family"),
        subject_hash=subject_hash,
        auth_time=auth_time,
        acr=_text_or_none(members, "acr"),
        members=MappingProxyType(members),
    )


def _audience(members: Mapping[str, Any]) -> tuple[str, ...]:
    audience = members.get("aud")
    if isinstance(audience, str):
        return (audience,)
    if isinstance(audience, list) and all(isinstance(one, str) for one in audience):
        return tuple(audience)
    raise InvalidToken("no usable aud")


def _scopes(members: Mapping[str, Any]) -> frozenset[str]:
    """An access token of ours always has the claim, empty or not; an ID token never has."""
    scope = members.get("scope")
    if not isinstance(scope, str):
        _refuse("no scope")
    return frozenset(scope.split(" ")) - {""}


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str) or not value:
        _refuse(f"no usable {name}")
    return value


def _text_or_none(members: Mapping[str, Any], name: str) -> str | None:
    return None if members.get(name) is None else _text(members, name)


def _time(members: Mapping[str, Any], name: str) -> int:
    """A NumericDate (RFC 7519 section 2) in whole seconds, rounded down, as entries compare."""
    value = members.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        _refuse(f"no usable {name}")
    if not 0 <= value < _LATEST_TIME:
        _refuse(f"no usable {name}")
    return math.floor(value)


def _base64url(text: str) -> bytes:
    """Strict: no padding, and only one text for the same bytes (RFC 7515 section 2)."""
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        _refuse("not base64url")
    if urlsafe_b64encode(raw).rstrip(b"=").decode("ascii") != text:
        _refuse("not canonical base64url")
    return raw


def _json_object(raw: bytes) -> dict[str, Any]:
    """A JSON object without duplicate names and without NaN or Infinity (RFC 7519 section 4)."""
    try:
        members = json.loads(raw, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        _refuse("not JSON, or ambiguous")
    if not isinstance(members, dict):
        _refuse("not a JSON object")
    return members


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate names")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _refuse(detail: str) -> NoReturn:
    raise InvalidToken(detail)
