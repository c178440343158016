"""The way back to a client: its redirect URI with our parameters, and what a page may say of it."""

import re
from urllib.parse import urlencode, urlsplit

_PLAIN_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?")


def location(redirect_uri: str, parameters: dict[str, str | None]) -> str:
    """A redirect URI and parameters -> where to send the browser; keeps the URI's own query.

    RFC 6749 section 3.1.2. Parameters that are None are left out.
    """
    query = urlencode({name: value for name, value in parameters.items() if value is not None})
    if not query:
        return redirect_uri
    separator = "&" if "?" in redirect_uri else "?"
    if redirect_uri.endswith(("?", "&")):
        separator = ""
    return f"{redirect_uri}{separator}{query}"


def form_action_source(uri: str) -> str:
    """A redirect URI -> the source that lets a form's answer lead there (CSP Level 3).

    Browsers hold every redirect after a form's post against `form-action`. Hosts that can't be
    written as a source (IPv6) and schemes of apps are allowed by scheme.
    """
    parts = urlsplit(uri)
    if parts.scheme in ("http", "https") and _PLAIN_HOST.fullmatch(parts.netloc):
        return f"{parts.scheme}://{parts.netloc}"
    return f"{parts.scheme}:"


def place(redirect_uri: str) -> str:
    """A redirect URI -> where it leads, in words for the person who is about to go there."""
    parts = urlsplit(redirect_uri)
    if parts.scheme not in ("http", "https"):
        return f"the app that opens {parts.scheme} links"
    if parts.hostname in ("127.0.0.1", "::1", "localhost"):
        return "an application on this device"
    return parts.netloc
