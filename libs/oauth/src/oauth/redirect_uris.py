"""Redirect URIs: what may be registered, and what a presented one may differ in (nothing)."""

from urllib.parse import SplitResult, urlsplit

LONGEST = 2048
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_LOOPBACK_LITERALS = frozenset({"127.0.0.1", "::1"})
_DANGEROUS = frozenset({"javascript", "data", "file", "vbscript", "about", "blob"})


def objection(uri: str, *, native: bool) -> str | None:
    """Why a URI may not be registered; None when it may (RFC 6749 3.1.2, RFC 8252 7, 8.4)."""
    if len(uri) > LONGEST or not uri.isascii() or any(c <= " " or c == "\x7f" for c in uri):
        return "it must be ASCII without spaces, and not too long"
    parts = _split(uri)
    if parts is None or not parts.scheme:
        return "it must be absolute"
    if "#" in uri:
        return "it must have no fragment (RFC 6749 section 3.1.2)"
    if parts.scheme == "https":
        return None if parts.hostname and not parts.username else "it must name a host"
    if parts.scheme == "http":
        return None if parts.hostname in _LOOPBACK else "http is for loopback addresses only"
    if parts.scheme in _DANGEROUS:
        return f"{parts.scheme} can't be redirected to"
    if not native or "." not in parts.scheme:
        return "a scheme of an app's own is for native clients and is a reversed domain name"
    return None


def matches(registered: str, presented: str, *, native: bool) -> bool:
    """Exact comparison; for native clients a loopback address may have any port (RFC 8252 7.3)."""
    if registered == presented:
        return True
    if not native:
        return False
    ours, theirs = _split(registered), _split(presented)
    if ours is None or theirs is None or len(presented) > LONGEST:
        return False
    loopback = ours.scheme == theirs.scheme == "http" and ours.hostname in _LOOPBACK_LITERALS
    return loopback and _without_port(ours) == _without_port(theirs) and _is_plain(presented)


def _split(uri: str) -> SplitResult | None:
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _without_port(parts: SplitResult) -> tuple[str | None, ...]:
    return parts.username, parts.hostname, parts.path, parts.query, parts.fragment


def _is_plain(uri: str) -> bool:
    """Whether a URI has nothing that a browser might read otherwise than `urlsplit` does."""
    return uri.isascii() and not any(c <= " " or c in "\\#@\x7f" for c in uri)
