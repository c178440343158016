"""What may be registered as a client or an API; nothing here touches a database."""

import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import chain
from urllib.parse import urlsplit

from issuer.domain.client import Client, GrantType, Resource
from oauth import redirect_uris, scopes

LONGEST_NAME = 100
LONGEST_RESOURCE = 512
GRACE = (timedelta(0), timedelta(seconds=60))
ACCESS_TOKEN_LIFETIME = (timedelta(minutes=1), timedelta(minutes=15))
LONGEST_REFRESH_LIFETIME = timedelta(days=400)

_CLIENT_ID = re.compile(r"[!-~]{1,128}")


def client_objection(client: Client, *, confidential: bool) -> str | None:
    """Why a client can't be registered like this; None when it can."""
    found = chain(
        _identity(client), _grants(client, confidential=confidential), _uris(client), _times(client)
    )
    return next(found, None)


def resource_objection(resource: Resource) -> str | None:
    """Why an API can't be registered like this; None when it can."""
    if not _is_resource(resource.uri):
        return f"{resource.uri}: {_RESOURCE_RULE}"
    if resource.profile not in {"rfc9068", "jwt"}:
        return "profile: rfc9068 or jwt"
    if resource.profile == "jwt" and resource.alg != "RS256":
        return "profile jwt is for decoders that know RS256 only"
    return None if all(map(_is_scope_token, resource.scopes)) else _SCOPE_RULE


_RESOURCE_RULE = "a resource is an absolute http(s) URI without a fragment (RFC 8707 section 2)"
_SCOPE_RULE = "scope: each must be a scope token (RFC 6749 section 3.3)"


def _identity(client: Client) -> Iterator[str]:
    if not _CLIENT_ID.fullmatch(client.client_id):
        yield "client_id: 1 to 128 printable ASCII characters without spaces"
    if not 1 <= len(client.name.strip()) <= LONGEST_NAME or not client.name.isprintable():
        yield f"name: 1 to {LONGEST_NAME} printable characters"
    if not all(map(_is_scope_token, client.scopes)):
        yield _SCOPE_RULE


def _grants(client: Client, *, confidential: bool) -> Iterator[str]:
    if GrantType.CLIENT_CREDENTIALS in client.grants and not confidential:
        yield "client_credentials is for clients that can keep a secret (RFC 6749 section 4.4)"
    if GrantType.AUTHORIZATION_CODE in client.grants and not client.redirect_uris:
        yield "redirect_uris: the code grant needs one"
    if not confidential and not client.pkce_required:
        yield "a public client can't do without PKCE"


def _uris(client: Client) -> Iterator[str]:
    for uri in (*client.redirect_uris, *client.post_logout_redirect_uris):
        why = redirect_uris.objection(uri, native=client.native)
        if why is not None:
            yield f"{uri}: {why}"
    for uri in client.resources:
        if not _is_resource(uri):
            yield f"{uri}: {_RESOURCE_RULE}"


def _times(client: Client) -> Iterator[str]:
    if not GRACE[0] <= client.grace <= GRACE[1]:
        yield "grace: 0 to 60 seconds"
    if not ACCESS_TOKEN_LIFETIME[0] <= client.access_token_lifetime <= ACCESS_TOKEN_LIFETIME[1]:
        yield "access_token_lifetime: 1 to 15 minutes"
    idle, absolute = client.refresh_idle_lifetime, client.refresh_absolute_lifetime
    if not timedelta(0) < idle <= absolute <= LONGEST_REFRESH_LIFETIME:
        yield "refresh lifetimes: idle at most absolute, absolute at most 400 days"


def _is_scope_token(scope: str) -> bool:
    return " " not in scope and scopes.is_valid(scope)


def _is_resource(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    plain = len(uri) <= LONGEST_RESOURCE and uri.isascii() and uri.isprintable() and " " not in uri
    return plain and parts.scheme in {"http", "https"} and bool(parts.hostname) and "#" not in uri
