"""Speaks to the revocation and audit APIs as an operator: with a token, or as the demo's."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import httpx
import typer

from cli import demo
from cli.browser import UnexpectedPageError
from cli.demo import Demo
from cli.shown import fail
from cli.story import Story

TOKEN = "REVOCAST_OPERATOR_TOKEN"

Url = Annotated[str | None, typer.Option("--url", help="The service; the demo's by default.")]
Token = Annotated[
    str | None, typer.Option(envvar=TOKEN, help="An access token; the demo operator's if none.")
]


class Operator:
    """One API and a token for it. `service` is its name, `scope` what the demo operator allows."""

    def __init__(self, service: str, scope: str, url: str | None, token: str | None) -> None:
        if url is None or token is None:
            running = _demo()
            url = url or running.urls[service]
            token = token or _demo_token(running, scope, running.urls[service])
        self._url = url
        self._token = token

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """The JSON of an answer; a problem ends the command with its words."""
        bearer = {"Authorization": f"Bearer {self._token}"}
        with (
            _told(self._url),
            httpx.Client(base_url=self._url, headers=bearer, timeout=35) as http,
        ):
            answer = http.request(method, path, **arguments)
            body = _json(answer)
        if answer.is_error:
            fail(f"{answer.status_code}: {_why(answer, body)}")
        if not isinstance(body, dict):
            fail(f"{self._url} answered no JSON: is it the right service?")
        return body


@contextmanager
def _told(url: str) -> Iterator[None]:
    """One line where nobody answers, or where a token can't be sent."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        fail(f"{url} can't be asked: {error}")
    except UnicodeEncodeError:
        fail("the token is not one: it has characters that no header can hold")


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _why(answer: httpx.Response, body: Any) -> str:
    """The words of a problem (RFC 9457), of its members, or of the challenge (RFC 6750 3)."""
    told = body if isinstance(body, dict) else {}
    why = told.get("detail") or told.get("title") or answer.reason_phrase
    wrong = [f"{each.get('where')}: {each.get('why')}" for each in told.get("errors", [])]
    parameter = f"{told['parameter']}: " if "parameter" in told else ""
    challenge = answer.headers.get("www-authenticate")
    hints = [*wrong, *([challenge] if challenge else [])]
    return f"{parameter}{why}" + (f" ({'; '.join(hints)})" if hints else "")


def _demo() -> Demo:
    try:
        return demo.read(demo.PATH)
    except FileNotFoundError:
        fail(f"nothing runs here: start it with `make run`, or give --url and {TOKEN}")


def _demo_token(running: Demo, scope: str, resource: str) -> str:
    with (
        _told(running.issuer),
        httpx.Client(timeout=10) as http,
        httpx.Client(timeout=10) as browser,
    ):
        story = Story(running, lambda step: None, http)
        web = running.clients["web"]
        try:
            tokens = story.sign_in(web, running.operator, scope, resource, browser)
        except UnexpectedPageError as error:
            fail(f"the demo's operator could not sign in: {error}")
    token: str = tokens["access_token"]
    return token
