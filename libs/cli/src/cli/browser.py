"""A browser as far as the story needs one: follows redirects, keeps cookies, fills in forms."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx


class UnexpectedPageError(Exception):
    """The issuer showed something else than the story expected."""


@dataclass(slots=True)
class Form:
    """A form of a page: where it goes and what it already holds."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(attributes.get("action", "")))
        elif self.forms and tag == "input" and "name" in attributes:
            self.forms[-1].fields[attributes["name"]] = attributes.get("value", "")
        elif self.forms and tag == "button" and "id" in attributes:
            pressed = (attributes.get("name", ""), attributes.get("value", ""))
            self.forms[-1].buttons[attributes["id"]] = pressed


class Browser:
    """One person's browser at one issuer."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def authorize(
        self, url: str, parameters: dict[str, str], *, fields: dict[str, str], redirect_uri: str
    ) -> dict[str, str]:
        """Open an authorization request, sign in, allow; the parameters that come back.

        Raises:
            UnexpectedPageError: neither a sign-in nor a consent page, or an error came back.
        """
        response = self.http.get(url, params=parameters)
        for _ in range(8):
            if response.is_redirect:
                target = urljoin(str(response.url), response.headers["location"])
                if target.startswith(redirect_uri):
                    return _returned(target)
                response = self.http.get(target)
                continue
            response = self._submit(response, fields)
        raise UnexpectedPageError("more pages than a sign-in and a consent")

    def _submit(self, page: httpx.Response, fields: dict[str, str]) -> httpx.Response:
        if page.status_code != 200:
            raise UnexpectedPageError(f"{page.request.url.path} answered {page.status_code}")
        parser = _Forms()
        parser.feed(page.text)
        for form in parser.forms:
            for button in ("sign-in", "allow"):
                if button in form.buttons:
                    name, value = form.buttons[button]
                    filled = {**form.fields, **({name: value} if name else {})}
                    if button == "sign-in":
                        filled |= fields
                    action = urljoin(str(page.url), form.action)
                    return self.http.post(action, data=filled)
        raise UnexpectedPageError(
            f"{page.request.url.path} has neither a sign-in nor an allow button"
        )


def _returned(target: str) -> dict[str, str]:
    returned = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
    if "error" in returned:
        raise UnexpectedPageError(f"the issuer answered error={returned['error']}")
    return returned
