"""One request of one browser: its cookies, where it came from, and what it sent."""

import re
import secrets
from dataclasses import dataclass
from datetime import timedelta

from fastapi import Request, Response

from issuer.domain.authorization import Origin
from issuer.domain.origin import client_address, origin
from issuer.domain.parameters import Parameters, parse
from oauth.forms import CONTENT_TYPE, LONGEST, MalformedError
from servicekit.correlation import correlation_id

BROWSER_COOKIE_LIFETIME = timedelta(days=180)
_COOKIE_VALUE = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookies:
    """Our two cookies: `session` is a sign-in; `browser` binds forms and is known to accounts.

    Over https they have the `__Host-` prefix (RFC 6265bis 4.1.3.2), which no other host can set;
    on a loopback address without TLS browsers refuse that prefix.
    """

    secure: bool

    def name(self, kind: str) -> str:
        """`session` or `browser` -> the cookie's name."""
        return f"__Host-revocast_{kind}" if self.secure else f"revocast_{kind}"

    def value(self, request: Request, kind: str) -> str | None:
        """What the browser sent, if it is of our form."""
        value = request.cookies.get(self.name(kind), "")
        return value if _COOKIE_VALUE.fullmatch(value) else None

    def set(
        self, response: Response, kind: str, value: str, *, lifetime: timedelta | None = None
    ) -> None:
        """Give the browser a value; without a lifetime, until it is closed."""
        response.set_cookie(
            self.name(kind),
            value,
            max_age=int(lifetime.total_seconds()) if lifetime else None,
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )

    def clear(self, response: Response, kind: str) -> None:
        """Take a value away."""
        response.delete_cookie(
            self.name(kind), path="/", secure=self.secure, httponly=True, samesite="lax"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """`browser` is always there: a browser that came without gets a new value with the answer."""

    cookies: Cookies
    browser: str
    session_cookie: str | None
    origin: Origin
    correlation_id: str

    @classmethod
    def of(
        cls, request: Request, cookies: Cookies, *, hash_key: bytes, trusted_proxies: int
    ) -> "Visit":
        """What we know of whoever sent a request."""
        address = client_address(
            request.client.host if request.client else None,
            request.headers.get("x-forwarded-for"),
            trusted_proxies=trusted_proxies,
        )
        return cls(
            cookies=cookies,
            browser=cookies.value(request, "browser") or secrets.token_urlsafe(32),
            session_cookie=cookies.value(request, "session"),
            origin=origin(address, request.headers.get("user-agent"), hash_key),
            correlation_id=correlation_id(),
        )

    def remember_browser(self, response: Response) -> None:
        """Let the browser keep its value for half a year from now."""
        self.cookies.set(response, "browser", self.browser, lifetime=BROWSER_COOKIE_LIFETIME)


async def sent_parameters(request: Request) -> Parameters:
    """The parameters of a GET's query or a POST's form.

    Raises:
        MalformedError: as `parse`, or the body is not a form.
    """
    if request.method == "GET":
        return parse(request.scope["query_string"])
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != CONTENT_TYPE:
        raise MalformedError("not a form")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST:
            raise MalformedError("too long")
    return parse(body)


async def single_parameters(request: Request) -> Parameters:
    """The same where no error goes back to a client: which of two was meant is not ours to choose.

    Raises:
        MalformedError: as `sent_parameters`, or a parameter came more than once.
    """
    parameters = await sent_parameters(request)
    if parameters.repeated:
        raise MalformedError("a parameter is repeated")
    return parameters


def came_from_elsewhere(request: Request) -> bool:
    """Whether the browser itself says that another site sent this form (Fetch Metadata)."""
    return request.headers.get("sec-fetch-site") in ("cross-site", "same-site")
