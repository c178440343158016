"""HTML that can't be scripted, framed, cached or leaked through a referrer."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fastapi import Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

ASSETS = {"pages.css": "text/css; charset=utf-8", "mark.svg": "image/svg+xml"}
_HERE = Path(__file__).parent

_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_SCOPES = {
    "openid": "Know that it is you",
    "profile": "See your name and username",
    "email": "See your e-mail address",
}


def asset(name: str) -> bytes:
    """The content of a file that pages refer to.

    Raises:
        KeyError: there is no such file.
    """
    if name not in ASSETS:
        raise KeyError(name)
    return (_HERE / "assets" / name).read_bytes()


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("issuer.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["versions"] = {
        name.partition(".")[0]: hashlib.sha256(asset(name)).hexdigest()[:12] for name in ASSETS
    }
    environment.globals["scope_words"] = _SCOPES
    return environment


_ENVIRONMENT = _environment()


def page(
    template: str, *, status: int = 200, form_action: Iterable[str] = (), **values: Any
) -> Response:
    """A template and its values -> the answer. Values are escaped, whatever they hold.

    `form_action` are the sources, beside our own, to which the answer to a form may redirect.
    """
    html = _ENVIRONMENT.get_template(template).render(values)
    sources = " ".join(("'self'", *dict.fromkeys(form_action)))
    policy = (
        "default-src 'none'; style-src 'self'; img-src 'self'; "
        f"form-action {sources}; frame-ancestors 'none'; base-uri 'none'"
    )
    return HTMLResponse(html, status, {**_HEADERS, "Content-Security-Policy": policy})


def message(title: str, text: str, *, reference: str, status: int) -> Response:
    """A page that only says something. `reference` finds the request in the logs."""
    return page("message.html", status=status, title=title, text=text, reference=reference)


def redirect(location: str) -> Response:
    """Send the browser elsewhere with a GET (303: RFC 9700 section 4.12)."""
    return Response(status_code=303, headers={**_HEADERS, "Location": location})
