import asyncio
import os
import time
from dataclasses import replace

import jwt
import pytest

from issuer.signing.keys import UnsealError
from issuer.usecases.keyring import KEPT_PUBLISHED, PUBLISHED_FIRST, Keyring
from servicekit.postgres import Pool
from tests.support.issuer import RESOURCE
from tests.support.issuer_api import ISSUER, KEY_ENCRYPTION_KEY, Api, add_api, api_on, good
from tests.support.issuer_pages import told


def keyring(pool: Pool) -> Keyring:
    return Keyring(pool, KEY_ENCRYPTION_KEY)


async def shift(pool: Pool, by: str) -> None:
    """Let the time of every key pass."""
    await pool.execute(
        "UPDATE signing_key SET signs_from = signs_from - $1::text::interval,"
        " retired_at = retired_at - $1::text::interval",
        by,
    )


async def test_many_replicas_make_one_key(pool: Pool) -> None:
    """Replicas that start at once agree on one key for each algorithm."""
    rings = [keyring(pool) for _ in range(6)]
    await asyncio.gather(*(ring.ensure("ES256", "RS256") for ring in rings))
    assert await pool.fetchval("SELECT count(*) FROM signing_key") == 2
    assert len({(await ring.signer("ES256")).kid for ring in rings}) == 1
    assert len(await told(pool, "signing_key.added")) == 2


async def test_the_database_holds_no_private_key(pool: Pool) -> None:
    """What is stored can be opened with KEY_ENCRYPTION_KEY only, and only as the key that it is."""
    await keyring(pool).ensure("ES256", "EdDSA")
    with pytest.raises(UnsealError):
        await Keyring(pool, os.urandom(32)).refresh()
    await pool.execute(
        "UPDATE signing_key k SET sealed_private = o.sealed_private FROM signing_key o"
        " WHERE o.kid <> k.kid"
    )
    with pytest.raises(UnsealError):
        await keyring(pool).refresh()


async def test_a_new_key_is_published_before_it_signs(pool: Pool) -> None:
    """Until its time has come the old key signs; then the old one stays published."""
    ring = keyring(pool)
    await ring.ensure("ES256")
    old = (await ring.signer("ES256")).kid
    new = await ring.rotate("ES256", actor="test")
    assert set(ring.published) == {old, new}
    assert (await ring.signer("ES256")).kid == old
    await shift(pool, f"{PUBLISHED_FIRST.total_seconds()} s")
    await ring.refresh()
    assert set(ring.published) == {old, new}
    assert (await ring.signer("ES256")).kid == new
    await shift(pool, f"{KEPT_PUBLISHED.total_seconds()} s")
    await ring.refresh()
    assert set(ring.published) == {new}
    assert len(await told(pool, "signing_key.retired")) == 1


async def test_a_replica_recognises_the_key_of_another_at_once(api: Api) -> None:
    """A token signed by a key that another replica made just now is looked up, not refused."""
    async with api_on(api.pool) as replica:
        await replica.parts.keyring.refresh()
        await add_api(api.pool, RESOURCE, alg="EdDSA")
        token = (await api.machine_token())["access_token"]
        ring = replica.parts.keyring
        ring._read_at = time.monotonic()  # it has looked a moment ago
        assert await ring.claims(token, issuer=ISSUER) is None
        ring._read_at = float("-inf")
        assert await ring.claims(token, issuer=ISSUER) is not None


async def test_made_up_keys_do_not_make_us_look_each_time(api: Api) -> None:
    """Tokens with unknown key ids cost at most one look a second."""
    ring = api.parts.keyring
    await ring.ensure("ES256")
    for number in range(5):
        forged = jwt.encode({"iss": ISSUER}, "0" * 32, "HS256", headers={"kid": f"{number}"})
        ring._read_at = read_at = time.monotonic()
        assert await ring.claims(forged, issuer=ISSUER) is None
        assert ring._read_at == read_at
        assert await api.introspect(forged) == {"active": False}


async def test_the_jwks_has_public_members_only(api: Api) -> None:
    """The published keys have `kid`, `alg` and `use`, and nothing of their private halves."""
    await api.parts.keyring.ensure("ES256", "EdDSA", "RS256", "PS256")
    keys = good(await api.http.get("/.well-known/jwks.json"))["keys"]
    assert {key["alg"] for key in keys} == {"ES256", "EdDSA", "RS256", "PS256"}
    for key in keys:
        assert key.keys() <= {"kty", "crv", "x", "y", "n", "e", "kid", "alg", "use"}
        assert key["use"] == "sig"


async def test_a_key_of_another_issuer_signs_nothing_here(api: Api) -> None:
    """A token of the same database under another issuer's name is none of ours."""
    token = (await api.machine_token())["access_token"]
    other = replace(api.parts, issuer="https://other.example")
    assert await other.keyring.claims(token, issuer=other.issuer) is None
