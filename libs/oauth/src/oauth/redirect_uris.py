"""Redirect URIs: what may be registered, and what a presented one may differ in (a port)."""

import re
from urllib.parse import SplitResult, urlsplit

LONGEST = 2048
"""Characters of one URI."""

_URI = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+")
"""The characters of RFC 3986. Browsers mend others, each in its own way: a backslash to a slash."""

_PORT = re.compile(r":[0-9]*$")

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_LOOPBACK_LITERALS = frozenset({"127.0.0.1", "::1"})
"""Only these get any port: who owns the name localhost is the resolver's word (RFC 8252 8.3)."""


def objection(uri: str, *, native: bool) -> str | None:
    """Why a URI may not be registered; None when it may (RFC 6749 3.1.2, RFC 8252 7 and 8.4).

    Allowed: https; http on a loopback address; for native clients a scheme of their own.
    """
    parts = _split(uri)
    if parts is None:
        return f"it must be a URI of at most {LONGEST} characters"
    if not parts.scheme:
        return "it must be absolute"
    if "#" in uri:
        return "it must have no fragment (RFC 6749 section 3.1.2)"
    if "@" in parts.netloc:
        return "it must have no user name"
    if parts.scheme in {"https", "http"}:
        return _web_objection(parts)
    if not native or "." not in parts.scheme:
        return "a scheme of an app's own is for native clients and is a reversed domain name"
    return None


def _web_objection(parts: SplitResult) -> str | None:
    if not parts.hostname:
        return "it must name a host"
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        return "http is for loopback addresses only"
    return None


def matches(registered: str, presented: str, *, native: bool) -> bool:
    """Exact comparison; for native clients a loopback address may have any port (RFC 8252 7.3)."""
    if registered == presented:
        return True
    if not native:
        return False
    ours, theirs = _split(registered), _split(presented)
    if ours is None or theirs is None:
        return False
    loopback = ours.scheme == "http" and ours.hostname in _LOOPBACK_LITERALS
    return loopback and _without_port(presented, theirs) == _without_port(registered, ours)


def _split(uri: str) -> SplitResult | None:
    """The parts of a URI; None for what is none, is too long, or has no such port."""
    if len(uri) > LONGEST or not _URI.fullmatch(uri):
        return None
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _without_port(uri: str, parts: SplitResult) -> str:
    """The URI as it was written, less its port: nothing else may differ, not even in case."""
    host = _PORT.sub("", parts.netloc)
    return uri.replace(f"//{parts.netloc}", f"//{host}", 1)
