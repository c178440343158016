import base64
import json
from dataclasses import replace
from typing import Any

import jwt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from revocast.errors import InvalidToken
from revocast.jwks import ALGORITHMS, parse_jwks
from revocast.tokens import LONGEST_TOKEN, Rules
from tests.unit.revocast.support import (
    AUDIENCE,
    ISSUER,
    NOW,
    SigningKey,
    claims,
    members,
    sign,
    signing_key,
)

RULES = Rules(
    issuer=ISSUER, audience=AUDIENCE, algorithms=ALGORITHMS, profile="at+jwt", leeway=10.0
)


def check(token: str, *, key: SigningKey | None = None, rules: Rules = RULES) -> Any:
    keys = parse_jwks({"keys": [(key or signing_key()).jwk()]})
    parsed = rules.parse(token)
    return rules.verify(parsed, keys[parsed.kid], NOW)


def refused(token: str, **more: Any) -> str:
    with pytest.raises(InvalidToken) as caught:
        check(token, **more)
    return caught.value.detail


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "RS256", "PS256"])
def test_every_allowed_algorithm_verifies(alg: str) -> None:
    """A token signed by a published key of an allowed algorithm gives its claims."""
    key = signing_key(alg)
    verified = check(sign(members(NOW), key), key=key)
    assert (verified.sub, verified.client_id, verified.kid) == ("person-1", "web", "key-1")
    assert verified.scopes == {"orders.read", "orders.write"}
    assert verified.members["acr"] == "1"


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512", "none"])
def test_a_guard_has_no_symmetric_algorithm_and_not_none(alg: str) -> None:
    """A token that names HS* or none is refused by its header."""
    assert alg not in ALGORITHMS
    key = "a-secret-that-is-long-enough-for-every-one-of-the-algorithms-here!"
    headers = {"kid": "key-1", "typ": "at+jwt"}
    forged = jwt.encode(members(NOW), "" if alg == "none" else key, algorithm=alg, headers=headers)
    assert refused(forged if alg != "none" else forged + "x")


def test_a_public_key_is_never_used_as_a_secret() -> None:
    """The header's algorithm must fit the key: alg confusion gets nowhere."""
    key = signing_key("RS256")
    token = RULES.parse(sign(members(NOW), key))
    published = parse_jwks({"keys": [key.jwk()]})["key-1"]
    assert published.verifies("RS256", token.signing_input, token.signature)
    for other in ("ES256", "PS256", "EdDSA"):
        with pytest.raises(InvalidToken):
            RULES.verify(replace(token, algorithm=other), published, NOW)


def test_a_forbidden_algorithm_is_refused_even_if_published() -> None:
    """A guard that allows only ES256 refuses a good RS256 token."""
    key = signing_key("RS256")
    assert refused(
        sign(members(NOW), key), key=key, rules=replace(RULES, algorithms=frozenset({"ES256"}))
    )


def test_a_changed_payload_is_refused() -> None:
    """The signature covers header and payload."""
    header, _, signature = sign(members(NOW)).split(".")
    forged = base64.urlsafe_b64encode(json.dumps(members(NOW, sub="other")).encode()).rstrip(b"=")
    assert refused(f"{header}.{forged.decode()}.{signature}") == "signature not verified"


@pytest.mark.parametrize(
    "name", ["iss", "sub", "aud", "client_id", "scope", "jti", "iat", "exp", "subject_hash"]
)
def test_a_required_claim_is_required(name: str) -> None:
    """A token without one of the claims of RFC 9068 section 2.2, or ours, is refused."""
    assert refused(sign(members(NOW, **{name: None})))


@pytest.mark.parametrize(
    "name", ["iss", "sub", "client_id", "jti", "scope", "sid", "family", "acr"]
)
@pytest.mark.parametrize("value", [1, True, ["x"], {"x": "y"}])
def test_a_claim_has_its_type(name: str, value: object) -> None:
    """A text claim that is no text is refused, whatever it is instead."""
    raw = members(NOW) | {name: value}
    token = RULES.parse(_signed_raw(json.dumps(raw)))
    with pytest.raises(InvalidToken):
        RULES.verify(token, parse_jwks({"keys": [signing_key().jwk()]})["key-1"], NOW)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"iss": ISSUER + "/"}, "issued by somebody else"),
        ({"aud": "https://other.example"}, "meant for another resource server"),
        ({"aud": []}, "meant for another resource server"),
        ({"exp": NOW - 10, "iat": NOW - 300}, "expired"),
        ({"iat": NOW + 11, "exp": NOW + 300}, "issued in the future"),
        ({"nbf": NOW + 11}, "not valid yet"),
        ({"exp": NOW + 901}, "lives longer than an entry would deny it"),
        ({"exp": NOW - 1}, "lives longer than an entry would deny it"),
        ({"cnf": {"jkt": "x"}}, "bound to a key, which is not checked here"),
        ({"nonce": "n"}, "an ID token"),
        ({"at_hash": "h"}, "an ID token"),
    ],
)
def test_a_wrong_claim_is_refused(changes: dict[str, Any], why: str) -> None:
    """Issuer, audience, times, binding and kind of token are all compared."""
    assert refused(sign(members(NOW, **changes))) == why


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["https://other.example", AUDIENCE]},
        {"exp": NOW - 9, "iat": NOW - 300},
        {"iat": NOW + 10, "exp": NOW + 300},
        {"nbf": NOW + 10},
        {"scope": ""},
        {"sub": "web", "subject_hash": None, "sid": None, "family": None, "auth_time": None},
    ],
)
def test_what_only_looks_wrong_passes(changes: dict[str, Any]) -> None:
    """Several audiences, times within the leeway, no scope and no person are all fine."""
    assert check(sign(members(NOW, **changes))).client_id == "web"


@pytest.mark.parametrize("name", ["iat", "exp", "nbf"])
@pytest.mark.parametrize("value", ["NaN", "1e999", "-1", '"1700000000"', "true", "null", "9" * 40])
def test_a_time_is_a_number(name: str, value: str) -> None:
    """Times that are no finite, sane numbers are refused."""
    body = json.dumps(members(NOW) | {name: 0}).replace(f'"{name}": 0', f'"{name}": {value}')
    with pytest.raises(InvalidToken):
        check(_signed_raw(body))


def test_a_fraction_of_a_second_does_not_outlive_an_entry() -> None:
    """A fractional iat counts as the second it began in, as entries compare."""
    assert check(sign(members(NOW) | {"iat": NOW - 0.25})).iat == NOW - 1


def test_ambiguous_json_is_refused() -> None:
    """Two members of one name could mean two things to two readers."""
    body = json.dumps(members(NOW)).replace("{", '{"sub": "other", ', 1)
    assert refused(_signed_raw(body)) == "not JSON, or ambiguous"


@pytest.mark.parametrize("typ", [None, "JWT", "jwt", "logout+jwt", "secevent+jwt", "at+jwt+x"])
def test_the_standard_profile_takes_only_access_tokens(typ: str | None) -> None:
    """RFC 9068 section 4: any typ but at+jwt is refused."""
    assert refused(sign(members(NOW), typ=typ)) == "typ is not that of an access token"


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
def test_the_type_is_compared_as_a_media_type(typ: str) -> None:
    """RFC 7515 section 4.1.9: without regard to case, with or without application/."""
    assert check(sign(members(NOW), typ=typ)).jti == "token-1"


def test_the_jwt_profile_takes_both_types() -> None:
    """A resource with the profile jwt accepts JWT and at+jwt, and still no logout token."""
    rules = replace(RULES, profile="jwt")
    assert check(sign(members(NOW), typ="JWT"), rules=rules).jti == "token-1"
    assert check(sign(members(NOW)), rules=rules).jti == "token-1"
    assert refused(sign(members(NOW), typ="logout+jwt"), rules=rules)


@pytest.mark.parametrize("more", [{}, {"nonce": "n"}, {"client_id": "web"}, {"jti": "x"}])
def test_an_id_token_is_never_an_access_token(more: dict[str, str]) -> None:
    """Even under the profile jwt, and even if it is meant for this very audience."""
    id_token = {
        "iss": ISSUER,
        "sub": "person-1",
        "aud": AUDIENCE,
        "iat": NOW,
        "exp": NOW + 600,
        "auth_time": NOW,
        "sid": "session-1",
        "subject_hash": "subject-hash-1",
    }
    assert refused(sign(id_token | more, typ="JWT"), rules=replace(RULES, profile="jwt"))


@pytest.mark.parametrize(
    "header", [{"crit": ["exp"]}, {"b64": False}, {"kid": ""}, {"kid": "k" * 129}]
)
def test_a_header_that_is_not_understood_is_refused(header: dict[str, Any]) -> None:
    """RFC 7515 section 4.1.11: a critical member we do not know ends it; so does a bad kid."""
    own = {"alg": "ES256", "typ": "at+jwt", "kid": "key-1"} | header
    with pytest.raises(InvalidToken):
        RULES.parse(f"{_b64(json.dumps(own))}.{_b64('{}')}.{_b64('x')}")


def test_a_token_has_a_size() -> None:
    """One character more than the limit is refused before anything is decoded."""
    token = sign(members(NOW, acr="a" * LONGEST_TOKEN))
    assert refused(token) == "longer than a token may be"


def test_one_token_has_one_text() -> None:
    """Spare bits in the last character of the signature must be zero."""
    token = sign(members(NOW))
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]
    assert refused(twin) == "not canonical base64url"


@given(st.text(max_size=300))
@example("..")
@example("a.b.c")
@example("e30.e30.")
@example("e30.e30.e30")
@example(sign(members(NOW)) + "\n")
@example(" " + sign(members(NOW)))
@example("é" + sign(members(NOW)))
def test_garbage_is_only_ever_an_invalid_token(text: str) -> None:
    """No text makes the parser raise anything else."""
    with pytest.raises(InvalidToken):
        RULES.parse(text)


@given(header=st.binary(max_size=100), payload=st.binary(max_size=100), mac=st.binary(max_size=80))
def test_garbage_in_the_right_form_is_only_ever_an_invalid_token(
    header: bytes, payload: bytes, mac: bytes
) -> None:
    """Nor do any three base64url parts."""
    with pytest.raises(InvalidToken):
        RULES.parse(".".join(_b64(part) for part in (header, payload, mac)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(name=st.sampled_from(sorted({*members(NOW), "nbf", "cnf", "nonce"})), value=JSON)
def test_signed_nonsense_is_only_ever_an_invalid_token(name: str, value: object) -> None:
    """A claim of any JSON value gives claims or InvalidToken, never another error."""
    token = RULES.parse(_signed_raw(json.dumps(members(NOW) | {name: value})))
    try:
        RULES.verify(token, parse_jwks({"keys": [signing_key().jwk()]})["key-1"], NOW)
    except InvalidToken:
        return
    assert value is not None or name in ("sid", "family", "acr", "subject_hash")


def test_deep_json_is_only_an_invalid_token() -> None:
    """Nesting as deep as the size limit allows is refused like any garbage."""
    with pytest.raises(InvalidToken):
        RULES.parse(f"{_b64('[' * 3000)}.{_b64('{}')}.{_b64('x')}")


def test_claims_do_not_show_all_members() -> None:
    """What an application logs of claims is what the fields say, not every claim."""
    assert "person-2" not in repr(claims(members={"email": "person-2"}))


def _b64(raw: bytes | str) -> str:
    raw = raw.encode() if isinstance(raw, str) else raw
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _signed_raw(body: str) -> str:
    key = signing_key()
    headers = {"kid": key.kid, "typ": "at+jwt"}
    return jwt.PyJWS().encode(body.encode(), key.private, algorithm=key.alg, headers=headers)
