import base64
import hashlib
from dataclasses import replace

import pytest

from oauth import pkce
from tests.support.issuer import VERIFIER
from tests.support.issuer_api import WEB, Api, add_clients, error, good
from tests.support.issuer_pages import Visitor

APPENDIX_B = (
    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
)


async def test_s256_is_what_the_rfc_computes(api: Api, alice: Visitor) -> None:
    """4.2: The challenge is BASE64URL(SHA256(ASCII(code_verifier))); Appendix B's pair passes."""
    verifier, challenge = APPENDIX_B
    code = await alice.allow(code_challenge=challenge)
    good(await api.redeem(code, code_verifier=verifier))
    digest = hashlib.sha256(verifier.encode()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge


@pytest.mark.parametrize("length", [42, 43, 128, 129])
async def test_a_verifier_has_43_to_128_characters(api: Api, alice: Visitor, length: int) -> None:
    """4.1: A verifier has a minimum length of 43 and a maximum length of 128 characters."""
    verifier = "a" * length
    code = await alice.allow(code_challenge=pkce.s256(verifier))
    response = await api.redeem(code, code_verifier=verifier)
    if 43 <= length <= 128:
        good(response)
    else:
        assert error(response) == (400, "invalid_grant")


@pytest.mark.parametrize("character", ["+", "/", "=", " ", "é"])
async def test_a_verifier_has_unreserved_characters_only(
    api: Api, alice: Visitor, character: str
) -> None:
    """4.1: A verifier is made of ALPHA, DIGIT, "-", ".", "_" and "~"."""
    verifier = character * 43
    code = await alice.allow(code_challenge=pkce.s256(verifier))
    assert error(await api.redeem(code, code_verifier=verifier)) == (400, "invalid_grant")


@pytest.mark.parametrize("client_id", ["web", "spa"])
async def test_a_missing_challenge_is_an_invalid_request(alice: Visitor, client_id: str) -> None:
    """4.4.1: If PKCE is required and no challenge is sent, the server MUST answer
    `invalid_request` from the authorization endpoint."""
    changes = {"code_challenge": None, "code_challenge_method": None}
    await alice.authorize(client_id=client_id, **changes)
    assert alice.returned["error"] == "invalid_request"
    assert "code_challenge" in alice.returned["error_description"]


@pytest.mark.parametrize("method", ["plain", "s256", "S512", None])
async def test_an_unsupported_transformation_is_an_invalid_request(
    alice: Visitor, method: str | None
) -> None:
    """4.4.1: If the transformation is not supported, the server MUST answer `invalid_request`.

    4.3: without a method it is `plain`, which we do not support.
    """
    await alice.authorize(code_challenge_method=method)
    assert alice.returned["error"] == "invalid_request"
    assert "S256" in alice.returned["error_description"]


@pytest.mark.parametrize("challenge", ["x", "a" * 42, "a" * 44, "=" * 43, VERIFIER + "="])
async def test_a_challenge_has_its_form(alice: Visitor, challenge: str) -> None:
    """4.2: A challenge of S256 is 43 characters of base64url without padding."""
    await alice.authorize(code_challenge=challenge)
    assert alice.returned["error"] == "invalid_request"


@pytest.mark.parametrize("verifier", ["w" * 43, pkce.s256(VERIFIER), VERIFIER + "v", "x"])
async def test_a_wrong_verifier_is_an_invalid_grant(
    api: Api, alice: Visitor, verifier: str
) -> None:
    """4.6: If the values are not equal, the server MUST answer `invalid_grant`."""
    code = await alice.allow()
    assert error(await api.redeem(code, code_verifier=verifier)) == (400, "invalid_grant")
    good(await api.redeem(code))


async def test_a_verifier_is_required_where_a_challenge_was(api: Api, alice: Visitor) -> None:
    """4.5: `code_verifier` is REQUIRED when a challenge was in the authorization request."""
    code = await alice.allow()
    assert error(await api.redeem(code, code_verifier=None)) == (400, "invalid_grant")


async def test_a_verifier_is_refused_where_no_challenge_was(api: Api, alice: Visitor) -> None:
    """4.6: A verifier can't match a code without a challenge: no downgrade goes unnoticed."""
    exempt = replace(WEB, client_id="exempt", pkce_required=False)
    await add_clients(api.pool, exempt)
    asked = {"client_id": "exempt", "code_challenge": None, "code_challenge_method": None}
    code = await alice.allow(**asked)
    auth = ("exempt", "the secret of web")
    assert error(await api.redeem(code, auth=auth)) == (400, "invalid_grant")
    good(await api.redeem(code, auth=auth, code_verifier=None))


async def test_the_challenge_is_associated_with_the_code(api: Api, alice: Visitor) -> None:
    """4.4: The server MUST associate challenge and method with the code, for verification later."""
    other = "w" * 43
    first = await alice.allow()
    await alice.authorize(code_challenge=pkce.s256(other))
    second = alice.returned["code"]
    assert error(await api.redeem(second)) == (400, "invalid_grant")
    good(await api.redeem(second, code_verifier=other))
    good(await api.redeem(first))


async def test_the_challenge_is_not_in_the_code(alice: Visitor) -> None:
    """4.4: The server MUST NOT include the challenge in a form that others can extract."""
    code = await alice.allow()
    challenge = pkce.s256(VERIFIER)
    assert challenge not in code
    assert VERIFIER not in code
