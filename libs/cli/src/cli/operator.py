"""Speaks to the revocation and audit APIs as an operator: with a token, or as the demo's."""

from typing import Any

import httpx
import typer

from cli.demo import Demo, read
from cli.story import Story
from cli.up import DEMO

TOKEN = "REVOCAST_OPERATOR_TOKEN"


class Operator:
    """One API and a token for it."""

    def __init__(self, service: str, scope: str, url: str | None, token: str | None) -> None:
        if url is None or token is None:
            demo = _demo()
            url = url or demo.urls[service]
            token = token or _demo_token(demo, scope, demo.urls[service])
        self._http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=35
        )

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """The JSON of an answer; a problem ends the command with its words."""
        try:
            answer = self._http.request(method, path, **arguments)
        except httpx.HTTPError as error:
            raise typer.BadParameter(f"{self._http.base_url}: {error}") from error
        body = answer.json() if answer.content else None
        if answer.is_error:
            told = body if isinstance(body, dict) else {}
            why = told.get("detail") or told.get("title") or answer.reason_phrase
            typer.echo(f"{answer.status_code}: {why}", err=True)
            raise typer.Exit(1)
        return body


def _demo() -> Demo:
    try:
        return read(DEMO)
    except FileNotFoundError:
        typer.echo(
            f"nothing runs here: start it with `make run`, or give --url and {TOKEN}", err=True
        )
        raise typer.Exit(1) from None


def _demo_token(demo: Demo, scope: str, resource: str) -> str:
    with httpx.Client(timeout=10) as http, httpx.Client(timeout=10) as browser:
        story = Story(demo, lambda step: None, http)
        tokens = story.sign_in(demo.clients["web"], demo.operator, scope, resource, browser)
    token: str = tokens["access_token"]
    return token
