from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from issuer.domain.client import GrantType, Resource
from issuer.domain.registration import client_objection, resource_objection
from tests.support.issuer import CLIENT

REFUSED: dict[str, dict[str, Any]] = {
    "no id": {"client_id": ""},
    "an id with a space": {"client_id": "a b"},
    "an id with a control character": {"client_id": "a\x00"},
    "an id beyond ASCII": {"client_id": "é"},
    "a long id": {"client_id": "a" * 129},
    "no name": {"name": " "},
    "a name that can't be printed": {"name": "a\nb"},
    "a name that turns text around": {"name": "a\u202eb"},
    "a long name": {"name": "a" * 101},
    "a scope that is two": {"scopes": frozenset({"a b"})},
    "a scope with a quote": {"scopes": frozenset({'a"'})},
    "an empty scope": {"scopes": frozenset({""})},
    "no redirect URI": {"redirect_uris": ()},
    "a redirect URI with a fragment": {"redirect_uris": ("https://a.example/#b",)},
    "an open redirect URI": {"redirect_uris": ("http://a.example/",)},
    "a script": {"redirect_uris": ("javascript:alert(1)",)},
    "a page after sign-out that is none": {"post_logout_redirect_uris": ("/bye",)},
    "a relative resource": {"resources": ("api",)},
    "a resource with a fragment": {"resources": ("https://api.example/#a",)},
    "a resource with a space": {"resources": ("https://api.example/a b",)},
    "a broken resource": {"resources": ("https://[",)},
    "too much grace": {"grace": timedelta(seconds=61)},
    "negative grace": {"grace": timedelta(seconds=-1)},
    "too short a life": {"access_token_lifetime": timedelta(seconds=59)},
    "too long a life": {"access_token_lifetime": timedelta(minutes=15, seconds=1)},
    "idle beyond absolute": {"refresh_idle_lifetime": timedelta(days=91)},
    "no idle life": {"refresh_idle_lifetime": timedelta(0)},
    "an endless life": {"refresh_absolute_lifetime": timedelta(days=401)},
}


@pytest.mark.parametrize("changed", REFUSED.values(), ids=REFUSED.keys())
def test_what_would_be_unsafe_is_refused(changed: dict[str, Any]) -> None:
    """Each of these can't be registered, and the objection says why."""
    assert client_objection(CLIENT, confidential=True) is None
    assert client_objection(replace(CLIENT, **changed), confidential=True)


@pytest.mark.parametrize(
    "changed",
    [{"grants": frozenset({GrantType.CLIENT_CREDENTIALS})}, {"pkce_required": False}],
)
def test_some_things_need_a_secret(changed: dict[str, Any]) -> None:
    """A client without a secret has no grant of its own and no exemption from PKCE."""
    client = replace(CLIENT, grants=frozenset({GrantType.AUTHORIZATION_CODE}))
    assert client_objection(client, confidential=False) is None
    assert client_objection(replace(client, **changed), confidential=True) is None
    assert client_objection(replace(client, **changed), confidential=False)


def test_the_bounds_themselves_are_allowed() -> None:
    """Grace from 0 to 60 s, access tokens from 1 to 15 minutes."""
    for grace, lifetime in ((0, 60), (60, 900)):
        client = replace(
            CLIENT,
            grace=timedelta(seconds=grace),
            access_token_lifetime=timedelta(seconds=lifetime),
        )
        assert client_objection(client, confidential=True) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"uri": "api"},
        {"profile": "opaque"},
        {"profile": "jwt", "alg": "ES256"},
        {"scopes": frozenset({"a b"})},
    ],
)
def test_an_api_no_token_could_be_made_for_is_refused(changed: dict[str, Any]) -> None:
    """An API has an absolute URI, a known profile with its algorithm, and scope tokens."""
    api = Resource(uri="https://api.example", profile="rfc9068", alg="ES256", scopes=frozenset())
    assert resource_objection(api) is None
    assert resource_objection(replace(api, **changed))
