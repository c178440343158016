"""A Keycloak realm to measure: ES256, rotation without reuse, light tokens, as many people."""

import re
from dataclasses import dataclass
from html import unescape
from typing import Any

import httpx

from bench.code_flow import Visitor, challenge, cookies_of

NAME = "bench"
CLIENT = "web"
CALLBACK = "http://127.0.0.1/callback"
LONG_SECONDS = 36_000
"""Sessions and tokens last so long: nothing expires while it is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Realm:
    """The realm at `url`, its client's secret, and the password that all its people have.

    Passwords are hashed cheaply: signing in is not measured, and there is much of it.
    """

    url: str
    client_secret: str
    password: str
    people: int

    @property
    def endpoints(self) -> str:
        """Where its endpoints are."""
        return f"{self.url}/realms/{NAME}/protocol/openid-connect"

    def make(self, admin_password: str) -> None:
        """Make it through the admin API.

        Raises:
            httpx.HTTPStatusError: Keycloak did not do it.
        """
        form = {
            "grant_type": "password",
            "client_id": "admin-cli",
            "username": "admin",
            "password": admin_password,
        }
        with httpx.Client(base_url=self.url, timeout=180) as http:
            answer = http.post("/realms/master/protocol/openid-connect/token", data=form)
            bearer = {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}
            http.post("/admin/realms", json=self._described(), headers=bearer).raise_for_status()

    def log_in(self, sessions: int) -> list[dict[str, str]]:
        """Tokens of as many sessions, by the password grant; people take turns.

        Raises:
            httpx.HTTPStatusError: Keycloak refused.
        """
        with httpx.Client(timeout=60, auth=(CLIENT, self.client_secret)) as http:
            return [self._session(http, number % self.people) for number in range(sessions)]

    def sign_in(self, person: int) -> Visitor:
        """A browser in which a person has signed in.

        Raises:
            httpx.HTTPStatusError, ValueError: Keycloak showed something else than its form.
        """
        authorize = f"{self.endpoints}/auth"
        asked = {"redirect_uri": CALLBACK, "scope": "openid"}
        with httpx.Client(timeout=60) as browser:
            parameters = {**asked, "client_id": CLIENT, "response_type": "code", **challenge()[1]}
            page = browser.get(authorize, params=parameters).raise_for_status().text
            form = re.search(r'action="([^"]+)"', page)
            if form is None:
                raise ValueError("Keycloak's sign-in page has no form")
            filled = {"username": _username(person), "password": self.password}
            # Secure ones: a browser sends them to loopback all the same, httpx does not.
            sent = {"Cookie": cookies_of(browser)}
            if not browser.post(unescape(form[1]), data=filled, headers=sent).is_redirect:
                raise ValueError("Keycloak did not sign the person in")
            return Visitor(authorize=authorize, asked=asked, cookies=cookies_of(browser))

    def _session(self, http: httpx.Client, person: int) -> dict[str, str]:
        form = {
            "grant_type": "password",
            "username": _username(person),
            "password": self.password,
        }
        answer = http.post(f"{self.endpoints}/token", data=form)
        tokens: dict[str, str] = answer.raise_for_status().json()
        return tokens

    def _described(self) -> dict[str, Any]:
        return {
            "realm": NAME,
            "enabled": True,
            "sslRequired": "none",
            "defaultSignatureAlgorithm": "ES256",
            "revokeRefreshToken": True,
            "refreshTokenMaxReuse": 0,
            "passwordPolicy": "hashAlgorithm(pbkdf2-sha256) and hashIterations(1)",
            "accessTokenLifespan": LONG_SECONDS,
            "ssoSessionIdleTimeout": LONG_SECONDS,
            "ssoSessionMaxLifespan": LONG_SECONDS,
            "components": {"org.keycloak.keys.KeyProvider": _KEYS},
            "clients": [self._client()],
            "users": [self._person(_username(number)) for number in range(self.people)],
        }

    def _client(self) -> dict[str, Any]:
        return {
            "clientId": CLIENT,
            "secret": self.client_secret,
            "publicClient": False,
            "redirectUris": [CALLBACK],
            "directAccessGrantsEnabled": True,
            "serviceAccountsEnabled": True,
            "fullScopeAllowed": False,
            "defaultClientScopes": ["basic"],
            "optionalClientScopes": [],
            "protocolMappers": [_AUDIENCE],
        }

    def _person(self, username: str) -> dict[str, Any]:
        return {
            "username": username,
            "enabled": True,
            "emailVerified": True,
            "email": f"{username}@example.org",
            "firstName": username,
            "lastName": username,
            "credentials": [{"type": "password", "value": self.password, "temporary": False}],
        }


def _username(number: int) -> str:
    return f"person-{number}"


_AUDIENCE = {
    # Only who is in the audience may ask about a token.
    "name": "audience",
    "protocol": "openid-connect",
    "protocolMapper": "oidc-audience-mapper",
    "config": {"included.client.audience": CLIENT, "access.token.claim": "true"},
}
_KEYS = [
    {
        "name": "ecdsa",
        "providerId": "ecdsa-generated",
        "config": {"ecdsaEllipticCurveKey": ["P-256"], "priority": ["100"]},
    },
    {
        "name": "hmac",
        "providerId": "hmac-generated",
        "config": {"algorithm": ["HS512"], "priority": ["100"]},
    },
    {"name": "aes", "providerId": "aes-generated", "config": {"priority": ["100"]}},
]
