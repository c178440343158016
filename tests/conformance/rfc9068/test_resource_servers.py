import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from examples.sample_api.app import make_app

from revocast import Guard
from revocast_contracts.lifetimes import SKEW
from tests.integration.revocast.support import issuer_server, until
from tests.unit.revocast.support import AUDIENCE, HandClock, HandFeed, members, sign, signing_key


@dataclass(frozen=True)
class Protected:
    """An API behind a guard, and the issuer that the guard trusts."""

    http: httpx.AsyncClient
    issuer: str
    clock: HandClock

    def claims(self, **changes: Any) -> dict[str, Any]:
        return members(self.clock.wall, **({"iss": self.issuer} | changes))

    async def ask(self, token: str) -> httpx.Response:
        return await self.http.get("/orders", headers={"Authorization": f"Bearer {token}"})

    async def refuses(self, token: str) -> bool:
        """As RFC 6750 section 3.1 says; the same API takes a good token."""
        assert (await self.ask(sign(self.claims()))).status_code == 200
        answer = await self.ask(token)
        challenge = answer.headers.get("WWW-Authenticate", "")
        return answer.status_code == 401 and 'error="invalid_token"' in challenge


@pytest.fixture
async def protected() -> AsyncIterator[Protected]:
    clock = HandClock()
    feed = HandFeed(clock.clock())
    async with issuer_server() as issuer:
        guard = Guard(issuer=issuer.url, audience=AUDIENCE, feed=feed, clock=clock.clock())
        async with guard:
            await until(lambda: guard._keys.trouble() is None)
            feed.be_fresh()
            transport = httpx.ASGITransport(app=make_app(guard))
            async with httpx.AsyncClient(transport=transport, base_url="http://api") as http:
                yield Protected(http, issuer.url, clock)


@pytest.mark.parametrize("typ", [None, "JWT", "logout+jwt", "at+jwt+x", ""])
async def test_another_type_is_refused(protected: Protected, typ: str | None) -> None:
    """4: The resource server MUST verify that `typ` is `at+jwt`, and reject any other value."""
    assert await protected.refuses(sign(protected.claims(), typ=typ))


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt"])
async def test_both_forms_of_the_type_are_taken(protected: Protected, typ: str) -> None:
    """4: `at+jwt` and `application/at+jwt` are the two values of `typ` that are accepted."""
    assert (await protected.ask(sign(protected.claims(), typ=typ))).status_code == 200


@pytest.mark.parametrize("changed", ["https://other.example", "{}/", "{}#", None])
async def test_another_issuer_is_refused(protected: Protected, changed: str | None) -> None:
    """4: The issuer identifier MUST exactly match the value of `iss`."""
    iss = None if changed is None else changed.format(protected.issuer)
    assert await protected.refuses(sign(protected.claims(iss=iss)))


@pytest.mark.parametrize("aud", ["https://other.example", ["https://other.example"], [], None])
async def test_another_audience_is_refused(protected: Protected, aud: Any) -> None:
    """4: A token whose `aud` does not contain the resource server MUST be rejected."""
    assert await protected.refuses(sign(protected.claims(aud=aud)))


async def test_one_audience_of_several_is_enough(protected: Protected) -> None:
    """4: `aud` must contain the resource server, which may be one of several."""
    token = sign(protected.claims(aud=["https://other.example", AUDIENCE]))
    assert (await protected.ask(token)).status_code == 200


async def test_another_signature_is_refused(protected: Protected) -> None:
    """4: The signature MUST be validated, with the keys that the authorization server provides."""
    claims = protected.claims()
    assert await protected.refuses(sign(claims, signing_key(kid="nobody's")))
    header, _, signature = sign(claims).split(".")
    payload = _b64(json.dumps(claims | {"sub": "somebody-else"}))
    assert await protected.refuses(f"{header}.{payload}.{signature}")


async def test_no_signature_is_refused(protected: Protected) -> None:
    """4: A token whose `alg` is `none` MUST be rejected."""
    header = _b64(json.dumps({"alg": "none", "typ": "at+jwt", "kid": "key-1"}))
    payload = _b64(json.dumps(protected.claims()))
    assert await protected.refuses(f"{header}.{payload}.")
    assert await protected.refuses(f"{header}.{payload}.{sign(protected.claims()).split('.')[2]}")


async def test_an_expired_token_is_refused(protected: Protected) -> None:
    """4: The current time MUST be before `exp`; a small leeway for clock skew is allowed."""
    leeway = int(SKEW.total_seconds())
    now = int(protected.clock.wall)
    late = protected.claims(iat=now - 300, exp=now - leeway)
    assert await protected.refuses(sign(late))
    assert (await protected.ask(sign(late | {"exp": now - leeway + 1}))).status_code == 200


async def test_a_scope_that_is_missing_is_told(protected: Protected) -> None:
    """4: Errors are those of RFC 6750: a good token without the scope is `insufficient_scope`."""
    answer = await protected.ask(sign(protected.claims(scope="orders.write")))
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def _b64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
