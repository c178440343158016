from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest

from issuer.domain.client import Client, GrantType, Resource
from issuer.store import clients
from issuer.usecases.clients import (
    DEFAULTS,
    Registered,
    RegistrationRefused,
    change_client,
    put_resource,
    register_client,
    replace_secret,
)
from servicekit.postgres import Pool
from tests.support.issuer_pages import told

SHOP = replace(
    DEFAULTS,
    client_id="shop",
    name="Shop",
    redirect_uris=("https://shop.example/callback",),
    post_logout_redirect_uris=("https://shop.example/",),
    scopes=frozenset({"openid", "orders.read"}),
    resources=("https://api.example",),
    introspects=frozenset({"other"}),
)
WHO: dict[str, Any] = {"actor": "an operator", "correlation_id": "test"}


async def registered(pool: Pool, client: Client = SHOP, *, confidential: bool = True) -> Registered:
    outcome = await register_client(pool, client, confidential=confidential, **WHO)
    assert isinstance(outcome, Registered), outcome
    return outcome


async def found(pool: Pool, client_id: str = "shop") -> Client:
    async with pool.acquire() as connection:
        client = await clients.find(connection, client_id)
    assert client is not None
    return client


async def test_a_client_is_kept_as_it_was_registered(pool: Pool) -> None:
    """Every member comes back; the secret has 256 bits, is given once, and kept as a hash."""
    outcome = await registered(pool)
    assert await found(pool) == outcome.client
    assert outcome.secret is not None
    assert len(outcome.secret) >= 43
    assert outcome.client.secret_matches(outcome.secret)
    (event,) = await told(pool, "client.registered")
    assert (event["client_id"], event["actor"]) == ("shop", "an operator")
    assert event["scope"] == "openid orders.read"
    assert outcome.secret not in str(event)


async def test_a_public_client_gets_no_secret(pool: Pool) -> None:
    """A client that can't keep a secret has none that could match."""
    outcome = await registered(pool, confidential=False)
    assert outcome.secret is None
    assert not (await found(pool)).confidential


async def test_an_id_is_taken_once(pool: Pool) -> None:
    """A second registration under the same id changes nothing and says nothing."""
    first = await registered(pool)
    again = await register_client(pool, replace(SHOP, name="Mine"), confidential=True, **WHO)
    assert isinstance(again, RegistrationRefused)
    assert await found(pool) == first.client
    assert len(await told(pool, "client.registered")) == 1


async def test_what_changes_is_told_by_name(pool: Pool) -> None:
    """A change is written whole and told by the names of what changed, secrets left alone."""
    first = await registered(pool)
    changed = replace(
        SHOP, name="Shop 2", grace=timedelta(0), redirect_uris=("https://b.example/",)
    )
    names = await change_client(pool, changed, **WHO)
    assert names == ("name", "redirect_uris", "grace")
    assert await found(pool) == replace(changed, secret_sha256=first.client.secret_sha256)
    assert [event["changed"] for event in await told(pool, "client.changed")] == [list(names)]


async def test_no_change_is_told_nothing(pool: Pool) -> None:
    """Writing a client as it is changes nothing and says nothing."""
    await registered(pool)
    assert await change_client(pool, SHOP, **WHO) == ()
    assert await told(pool, "client.changed") == []


async def test_a_change_can_not_do_what_a_registration_can_not(pool: Pool) -> None:
    """The rules of registration hold for changes, and for clients that are there."""
    await registered(pool, confidential=False)
    for changed in (
        replace(SHOP, pkce_required=False),
        replace(SHOP, redirect_uris=("http://shop.example/",)),
        replace(SHOP, client_id="nobody"),
    ):
        assert isinstance(await change_client(pool, changed, **WHO), RegistrationRefused)
    assert await told(pool, "client.changed") == []


async def test_a_secret_is_replaced_for_confidential_clients_only(pool: Pool) -> None:
    """A public client gets none, nor does one that is not there."""
    await registered(pool, replace(SHOP, client_id="app"), confidential=False)
    first = await registered(pool)
    new = await replace_secret(pool, "shop", **WHO)
    assert new is not None
    assert first.secret is not None
    assert (await found(pool)).secret_matches(new)
    assert not (await found(pool)).secret_matches(first.secret)
    for client_id in ("app", "nobody"):
        assert await replace_secret(pool, client_id, **WHO) is None


@pytest.mark.parametrize("text", ["'; DROP TABLE client; --", "<b>&amp;\"'", "\u00e9 \U0001f6d2"])
async def test_metacharacters_are_kept_as_they_are(pool: Pool, text: str) -> None:
    """A name is text: it goes into the database and comes out unchanged."""
    await registered(pool, replace(SHOP, name=text))
    assert (await found(pool)).name == text


async def test_an_api_is_registered_and_changed(pool: Pool) -> None:
    """How tokens for an API are made can be said, and said anew."""
    api = Resource(
        uri="https://api.example", profile="rfc9068", alg="EdDSA", scopes=frozenset({"a.b"})
    )
    for each in (api, replace(api, profile="jwt", alg="RS256")):
        assert await put_resource(pool, each) is None
        async with pool.acquire() as connection:
            assert await clients.find_resources(connection) == {each.uri: each}


def test_every_member_is_stored() -> None:
    """A member that is added to `Client` has its column, or is known to need none."""
    assert {each.name for each in fields(Client)} - set(clients._STORED) == {"resource_scopes"}
    assert set(GrantType) == {"authorization_code", "client_credentials", "refresh_token"}
