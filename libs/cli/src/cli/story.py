"""One real story over HTTP: sign in, call, refresh, be robbed, see the thief stopped, read why."""

import json
import secrets
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from cli.browser import Browser, UnexpectedPageError
from cli.demo import Demo, DemoClient, Person
from revocast import pkce

PATIENCE_SECONDS = 30.0
"""How long a step that has to travel may take before the story calls it failed."""

LOOK_EVERY_SECONDS = 0.004
"""Between two calls of the API that ask whether it has learnt of the theft: finer than the figure,
and leaves the machine to those who carry the news."""


class StoryFailedError(Exception):
    """A step did not happen. `step` names it, `str()` says why."""

    def __init__(self, step: str, why: str) -> None:
        super().__init__(why)
        self.step = step


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the timeline."""

    name: str
    told: str
    milliseconds: float


def new_client() -> httpx.Client:
    """An HTTP client, or a browser that remembers nobody yet."""
    return httpx.Client(timeout=10)


@dataclass(slots=True)
class Story:
    """The story in progress; `tell` is called with each step when it has really happened.

    `http` is the web shop's client; each person signs in at a new `browser`.
    """

    demo: Demo
    tell: Callable[[Step], None]
    http: httpx.Client
    browser: Callable[[], httpx.Client] = new_client
    figures: dict[str, float] = field(default_factory=dict)

    def play(self) -> dict[str, float]:
        """Play it to the end.

        Returns:
            `reuse_to_denied_ms` and `reuse_to_audited_ms`, from the thief's request on; `figures`
            has them as they happen.

        Raises:
            StoryFailedError: a step did not happen as it has to.
        """
        web, api = self.demo.clients["web"], self.demo.urls["sample_api"]
        with self._step("sign in and consent", "a code, then tokens"), self.browser() as browser:
            first = self.sign_in(web, self.demo.user, "openid orders.read", api, browser)
        with self._step("call the API", "GET /orders answers 200"):
            self._expect(self.call_api(first["access_token"]), 200)
        with self._step("refresh", "generation 2"):
            second = self.refresh(web, first)
        with self._step("refresh again", "generation 3"):
            third = self.refresh(web, second)
        with self._step("call the API again", "the newest access token is good"):
            self._expect(self.call_api(third["access_token"]), 200)
        presented = time.perf_counter()
        with self._step("a thief replays the first refresh token", "refused: invalid_grant"):
            self.expect_invalid_grant(web, first["refresh_token"])
        with self._step("the API learns of it", "401 to the unexpired access token"):
            denied = self.wait_for_denial(third["access_token"], presented)
            self.figures["reuse_to_denied_ms"] = denied
        with self._step("the victim's own refresh token", "refused: the family has ended"):
            self.expect_invalid_grant(web, third["refresh_token"])
        with self._step("the audit API tells why", "cause: reuse"), self.browser() as browser:
            family = _claims(third["access_token"])["family"]
            audit = self.demo.urls["audit"]
            operator = self.sign_in(web, self.demo.operator, "audit.read", audit, browser)
            audited = self._wait_for_audit(family, operator["access_token"], presented)
            self.figures["reuse_to_audited_ms"] = audited
        return self.figures

    def sign_in(
        self, client: DemoClient, person: Person, scope: str, resource: str, browser: httpx.Client
    ) -> dict[str, Any]:
        """The tokens of a sign-in with PKCE at `browser`, which keeps its cookies.

        Raises:
            UnexpectedPageError: the issuer answered something else.
        """
        grant = self.authorize(client, person, scope, resource, browser)
        return self._expect(self._token(client, grant), 200)

    def authorize(
        self, client: DemoClient, person: Person, scope: str, resource: str, browser: httpx.Client
    ) -> dict[str, str]:
        """The same up to the code: the grant to be sent to the token endpoint.

        Raises:
            UnexpectedPageError: the issuer answered something else.
        """
        verifier, state = pkce.verifier(), secrets.token_urlsafe(16)
        redirect_uri = client.redirect_uri or ""
        fields = {
            self.demo.login_fields["username"]: person.username,
            self.demo.login_fields["password"]: person.password,
        }
        parameters = {
            "response_type": "code",
            "client_id": client.client_id,
            "redirect_uri": redirect_uri,
            "scope": scope,
            "resource": resource,
            "state": state,
            "code_challenge": pkce.challenge(verifier),
            "code_challenge_method": "S256",
        }
        returned = Browser(browser).authorize(
            f"{self.demo.issuer}/authorize", parameters, fields=fields, redirect_uri=redirect_uri
        )
        if returned.get("state") != state or returned.get("iss") != self.demo.issuer:
            raise UnexpectedPageError("state or iss did not come back as sent")
        return {
            "grant_type": "authorization_code",
            "code": returned["code"],
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }

    def refresh(self, client: DemoClient, tokens: dict[str, Any]) -> dict[str, Any]:
        """The next tokens of a family."""
        grant = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        return self._expect(self._token(client, grant), 200)

    def expect_invalid_grant(self, client: DemoClient, refresh_token: str) -> None:
        """Present a refresh token that must be refused.

        Raises:
            UnexpectedPageError: it was not, or for another reason.
        """
        grant = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        answer = self._expect(self._token(client, grant), 400)
        if answer.get("error") != "invalid_grant":
            raise UnexpectedPageError(f"expected invalid_grant, got {answer.get('error')}")

    def wait_for_denial(self, access_token: str, presented: float) -> float:
        """Call the API until it refuses; milliseconds since `presented` (`time.perf_counter`).

        Raises:
            UnexpectedPageError: it went on accepting the token.
        """
        for _ in _attempts():
            if self.call_api(access_token).status_code == 401:
                return (time.perf_counter() - presented) * 1000
        raise UnexpectedPageError(f"still accepted after {PATIENCE_SECONDS:.0f} s")

    def call_api(self, access_token: str) -> httpx.Response:
        """`GET /orders` at the sample API."""
        return self.http.get(
            f"{self.demo.urls['sample_api']}/orders", headers=_bearer(access_token)
        )

    def _wait_for_audit(self, family: str, access_token: str, presented: float) -> float:
        url = f"{self.demo.urls['audit']}/families/{family}"
        for _ in _attempts():
            answer = self.http.get(url, headers=_bearer(access_token))
            if answer.status_code == 200 and answer.json().get("cause") == "reuse":
                return (time.perf_counter() - presented) * 1000
            if answer.status_code not in {200, 404, 503}:
                raise UnexpectedPageError(f"the audit API answered {answer.status_code}")
        raise UnexpectedPageError(f"no cause after {PATIENCE_SECONDS:.0f} s")

    def _token(self, client: DemoClient, grant: dict[str, str]) -> httpx.Response:
        return self.http.post(
            f"{self.demo.issuer}/token",
            data=grant,
            auth=(client.client_id, client.client_secret or ""),
        )

    @staticmethod
    def _expect(response: httpx.Response, status: int) -> dict[str, Any]:
        if response.status_code != status:
            where = f"{response.request.method} {response.request.url.path}"
            raise UnexpectedPageError(f"{where} answered {response.status_code}, not {status}")
        answer = response.json()
        return answer if isinstance(answer, dict) else {}

    @contextmanager
    def _step(self, name: str, told: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        except (httpx.HTTPError, UnexpectedPageError, KeyError, ValueError) as error:
            raise StoryFailedError(name, str(error) or type(error).__name__) from error
        self.tell(Step(name, told, (time.perf_counter() - began) * 1000))


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _claims(token: str) -> dict[str, Any]:
    """The claims of a token of our own, unverified: the story only reads its family's name."""
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def _attempts() -> Iterator[int]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    attempt = 0
    while time.monotonic() < deadline:
        yield attempt
        attempt += 1
        time.sleep(LOOK_EVERY_SECONDS)
