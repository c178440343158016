"""A person signs in at Hydra and allows: what its login and consent apps would tell it, told."""

import secrets
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

import httpx

from bench.operations import Target
from revocast import pkce

SCOPE = ["offline_access", "orders.read"]


def log_in(target: Target, admin: str, callback: str) -> dict[str, str]:
    """Tokens of one login, by a code with PKCE.

    Raises:
        httpx.HTTPStatusError: Hydra refused.
    """
    verifier = pkce.verifier()
    parameters = {
        "response_type": "code",
        "client_id": target.client_id,
        "redirect_uri": callback,
        "scope": " ".join(SCOPE),
        "state": secrets.token_urlsafe(16),
        "code_challenge": pkce.challenge(verifier),
        "code_challenge_method": "S256",
    }
    with httpx.Client(timeout=30) as browser:
        url = target.token.replace("/token", "/auth")
        login = _location(browser.get(url, params=parameters))
        subject = {"subject": secrets.token_hex(8)}
        consent = _location(browser.get(_accept(admin, "login", login, subject)))
        granted = {"grant_scope": SCOPE}
        returned = _location(browser.get(_accept(admin, "consent", consent, granted)))
    form = {
        "grant_type": "authorization_code",
        "code": _parameter(returned, "code"),
        "redirect_uri": callback,
        "code_verifier": verifier,
        **({} if target.client_secret else {"client_id": target.client_id}),
    }
    auth = (target.client_id, target.client_secret) if target.client_secret else None
    answer = httpx.post(target.token, data=form, auth=auth, timeout=30)
    tokens: dict[str, str] = answer.raise_for_status().json()
    return tokens


def _accept(admin: str, what: str, asked: str, told: Mapping[str, object]) -> str:
    """Accept a login or a consent; where the browser goes next."""
    answer = httpx.put(
        f"{admin}/admin/oauth2/auth/requests/{what}/accept",
        params={f"{what}_challenge": _parameter(asked, f"{what}_challenge")},
        json=told,
        timeout=30,
    )
    return str(answer.raise_for_status().json()["redirect_to"])


def _location(answer: httpx.Response) -> str:
    return answer.headers["location"]


def _parameter(url: str, name: str) -> str:
    return parse_qs(urlsplit(url).query)[name][0]
