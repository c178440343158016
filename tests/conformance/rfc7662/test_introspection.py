import json
from base64 import urlsafe_b64encode
from typing import Any

import httpx
import jwt
import pytest

from issuer.store import cuts
from issuer.usecases.clients import disable_client
from revocast_contracts.selectors import Selector, SelectorKind
from servicekit.postgres import transaction
from tests.support.issuer import RESOURCE
from tests.support.issuer_api import (
    API_SECRET,
    ISSUER,
    MACHINE_SECRET,
    OTHER_SECRET,
    SECRET,
    Api,
    error,
    good,
)

AS_API = ("api", API_SECRET)
INACTIVE = {"active": False}


async def test_the_request_is_a_posted_form(api: Api) -> None:
    """2.1: The endpoint MUST accept POST with a form."""
    token = (await api.machine_token())["access_token"]
    assert (await api.introspect(token))["active"] is True
    query, auth = {"token": token}, httpx.BasicAuth(*AS_API)
    assert (await api.http.get("/introspect", params=query, auth=auth)).status_code == 405
    in_query = await api.http.post("/introspect", params=query, auth=auth)
    assert error(in_query) == (400, "invalid_request")


async def test_a_token_is_required(api: Api) -> None:
    """2.1: `token` is REQUIRED."""
    assert error(await api.post("/introspect", {}, auth=AS_API)) == (400, "invalid_request")


@pytest.mark.parametrize("auth", [None, ("api", "wrong"), ("nobody", "x"), ("spa", "")])
async def test_callers_are_authorized(api: Api, auth: tuple[str, str] | None) -> None:
    """2.1: To prevent scanning, the endpoint MUST require authorization; 2.3: else 401."""
    token = (await api.machine_token())["access_token"]
    response = await api.post("/introspect", {"token": token}, auth=auth)
    assert error(response) == (401, "invalid_client")
    assert response.headers["www-authenticate"].startswith("Basic ")


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "something"])
async def test_a_wrong_hint_does_not_stop_the_search(api: Api, hint: str) -> None:
    """2.1: If the server can't find the token by the hint, it MUST search all types."""
    tokens = await api.tokens()
    for kind in ("access_token", "refresh_token"):
        assert (await api.introspect(tokens[kind], token_type_hint=hint))["active"] is True


async def test_an_active_access_token_is_described(api: Api) -> None:
    """2.2: `active` is REQUIRED; the other members have the meanings of JWT and RFC 6749."""
    tokens = await api.tokens()
    said = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    told = await api.introspect(tokens["access_token"])
    assert told["active"] is True
    assert told["token_type"] == "Bearer"
    for name in ("iss", "sub", "aud", "client_id", "scope", "jti", "iat", "exp", "sid", "family"):
        assert told[name] == said[name]


async def test_an_active_refresh_token_is_described(api: Api) -> None:
    """2.2: A refresh token is active for whom it may be used; it is no bearer token."""
    tokens = await api.tokens()
    told = await api.introspect(tokens["refresh_token"])
    assert (told["active"], told["client_id"], told["aud"]) == (True, "web", RESOURCE)
    assert "token_type" not in told
    assert told["exp"] > told["iat"]


def unsigned(claims: dict[str, Any], kid: str) -> str:
    header = {"alg": "none", "typ": "at+jwt", "kid": kid}
    parts = (urlsafe_b64encode(json.dumps(each).encode()) for each in (header, claims))
    return ".".join([*(part.rstrip(b"=").decode() for part in parts), ""])


async def dead_tokens(api: Api) -> dict[str, str]:
    """One token of each kind of death."""
    revoked, ended, spent = [await api.tokens() for _ in range(3)]
    await api.post("/revoke", {"token": revoked["access_token"]}, auth=("web", SECRET))
    await api.post("/revoke", {"token": ended["refresh_token"]}, auth=("web", SECRET))
    await api.token("refresh_token", refresh_token=spent["refresh_token"])
    live = (await api.machine_token())["access_token"]
    head, payload, signature = live.split(".")
    key = await api.parts.keyring.signer("ES256")
    claims = jwt.decode(live, options={"verify_signature": False})
    expired = {**claims, "exp": claims["iat"] - 1}
    elsewhere = {**claims, "iss": "https://other.example"}

    def sign(members: dict[str, Any]) -> str:
        return jwt.encode(members, key.private, "ES256", headers={"kid": key.kid})

    return {
        "a revoked access token": revoked["access_token"],
        "an access token of an ended family": ended["access_token"],
        "a refresh token of an ended family": ended["refresh_token"],
        "a spent refresh token": spent["refresh_token"],
        "an ID token": spent["id_token"],
        "an expired token": sign(expired),
        "another issuer's token": sign(elsewhere),
        "a forged token": f"{head}.{payload}.{'A' * len(signature)}",
        "an unsigned token": unsigned(claims, key.kid),
        "a token under a secret": jwt.encode(claims, "x" * 32, "HS256", headers={"kid": key.kid}),
        "no token": "x",
    }


async def test_a_dead_token_is_not_active(api: Api) -> None:
    """4: The server MUST check that a token is not expired, not revoked, and rightly signed.

    2.2: of a token that is not active, nothing else SHOULD be said.
    """
    for why, token in (await dead_tokens(api)).items():
        assert await api.introspect(token) == INACTIVE, why


async def test_a_killed_token_is_not_active(api: Api) -> None:
    """4: A token that was revoked by an operator MUST NOT be active, whatever selects it."""
    claims = jwt.decode((await api.tokens())["access_token"], options={"verify_signature": False})
    for kind, value in (
        (SelectorKind.FAMILY, claims["family"]),
        (SelectorKind.SESSION, claims["sid"]),
        (SelectorKind.SUBJECT, claims["subject_hash"]),
        (SelectorKind.CLIENT, "web"),
        (SelectorKind.ISSUER, ISSUER),
    ):
        tokens = await api.tokens()
        said = jwt.decode(tokens["access_token"], options={"verify_signature": False})
        own = {"family": said["family"], "session": said["sid"], "subject": said["subject_hash"]}
        selector = Selector(kind=kind, value=own.get(kind, value))
        assert (await api.introspect(tokens["access_token"]))["active"] is True
        async with transaction(api.pool) as connection:
            await cuts.apply_kill(
                connection, kill_id=f"kill {kind}", selector=selector, correlation_id="test"
            )
        for each in (tokens["access_token"], tokens["refresh_token"]):
            assert await api.introspect(each) == INACTIVE, kind


async def test_a_disabled_clients_tokens_are_not_active(api: Api) -> None:
    """4: What a client that was switched off holds MUST NOT be active."""
    tokens = await api.tokens()
    await disable_client(api.pool, "web", actor="test", correlation_id="test")
    for kind in ("access_token", "refresh_token"):
        assert await api.introspect(tokens[kind]) == INACTIVE


async def test_others_tokens_are_not_active(api: Api) -> None:
    """2.2: A token that the caller may not know about is answered like one that is not active."""
    tokens = await api.tokens()
    for auth in (("other", OTHER_SECRET), ("machine", MACHINE_SECRET)):
        for kind in ("access_token", "refresh_token"):
            assert await api.introspect(tokens[kind], auth=auth) == INACTIVE
    assert (await api.introspect(tokens["access_token"], auth=("web", SECRET)))["active"] is True


async def test_answers_are_not_stored(api: Api) -> None:
    """4: An answer that somebody kept would outlive the token: it MUST NOT be."""
    token = (await api.machine_token())["access_token"]
    response = await api.post("/introspect", {"token": token}, auth=AS_API)
    assert good(response)["active"] is True
    assert response.headers["cache-control"] == "no-store"
