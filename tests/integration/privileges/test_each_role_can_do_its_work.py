from dataclasses import replace
from datetime import timedelta

import httpx

from audit.domain.search import Order, Search
from audit.store import partitions
from audit.usecases.search_records import search_records
from audit.usecases.tell_family import Window, tell_family
from issuer.domain.authorization import Account
from issuer.domain.client import Client, Resource
from issuer.store.cuts import apply_kill
from issuer.usecases import clients
from issuer.usecases.create_account import create_account
from issuer.usecases.forget_expired import forget_expired
from issuer.usecases.keyring import Keyring
from issuer.usecases.passwords import Passwords
from issuer.usecases.people import People
from issuer.usecases.set_password import set_password
from messaging.batches import State, begin_epoch, forget, take_over
from messaging.lease import Lease
from revocast_contracts.lifecycle import EndCause
from revocast_contracts.selectors import Selector, SelectorKind
from revocation.store.kills import Kill
from revocation.store.watermarks import advance
from revocation.usecases.decide_kill import KillRequest, decide_kill
from revocation.usecases.tend_entries import forget as forget_entries
from revocation.usecases.tend_entries import resend_pending
from servicekit.postgres import Pool, transaction
from tests.support import audit as audit_parts
from tests.support.issuer import (
    HASH_KEY,
    RESOURCE,
    a_family,
    families_on,
    present,
    rotated,
    with_grace,
)
from tests.support.issuer_api import (
    KEY_ENCRYPTION_KEY,
    MACHINE,
    WEB,
    Api,
    api_on,
    error,
    good,
)
from tests.support.issuer_pages import PASSWORD, USERNAME
from tests.support.revocation import Facts, entries, handle

BY = {"actor": "an operator", "correlation_id": "test"}


async def test_the_operators_command_registers_people_clients_and_keys(admin: Pool) -> None:
    """Everything that `revocast clients|users|keys` does, with the administrator's rights."""
    people = People(pool=admin, passwords=_cheap(), hash_key=HASH_KEY, poke=lambda: None)
    try:
        await _an_account(people)
        assert (
            await set_password(people, username=USERNAME, password="another good one", **BY) is None
        )
    finally:
        people.passwords.close()
    registered = await clients.register_client(admin, WEB, confidential=True, **BY)
    assert isinstance(registered, clients.Registered)
    assert await clients.change_client(admin, replace(WEB, name="Changed"), **BY) == ("name",)
    assert await clients.replace_secret(admin, WEB.client_id, **BY)
    assert await clients.disable_client(admin, WEB.client_id, **BY)
    assert await clients.enable_client(admin, WEB.client_id, **BY)
    api = Resource(uri=RESOURCE, profile="jwt", alg="RS256", scopes=frozenset({"orders.read"}))
    assert await clients.put_resource(admin, api) is None
    assert await clients.put_resource(admin, api) is None
    keyring = Keyring(admin, KEY_ENCRYPTION_KEY)
    await keyring.ensure("ES256")
    assert await keyring.rotate("ES256", actor="an operator")


async def test_the_issuer_does_all_that_people_and_clients_ask(admin: Pool, service: Pool) -> None:
    """Sign-in, consent, tokens, retries, revocation, kills, sign-out, with its own rights."""
    secrets = await _registered(admin, WEB, MACHINE)
    web, machine = ("web", secrets["web"]), ("machine", secrets["machine"])
    async with api_on(service) as api:
        await api.parts.keyring.ensure("ES256", "RS256")
        async with api.visitor() as alice:
            assert (await alice.sign_in(password="not hers")).status_code == 403
            code = await alice.allow()
            first = good(await api.redeem(code, auth=web))
            await _family_lives_and_dies(api, first, web)
            await alice.open("/logout")
            await alice.press("sign-out")
        assert error(await api.redeem(code, auth=web)) == (400, "invalid_grant")
        good(await api.token("client_credentials", auth=machine))
        await api.parts.guesses.tell()
        async with transaction(service) as connection:
            await apply_kill(
                connection,
                kill_id="a kill",
                selector=Selector(kind=SelectorKind.CLIENT, value="web"),
                correlation_id="test",
            )
        await forget_expired(api.people)


async def _family_lives_and_dies(api: Api, first: dict[str, str], web: tuple[str, str]) -> None:
    async def refresh(token: str) -> httpx.Response:
        return await api.token("refresh_token", auth=web, refresh_token=token)

    second = good(await refresh(first["refresh_token"]))
    again = good(await refresh(first["refresh_token"]))
    assert again["refresh_token"] == second["refresh_token"]
    bearer = {"Authorization": f"Bearer {first['access_token']}"}
    assert (await api.http.get("/userinfo", headers=bearer)).status_code in {200, 401, 403}
    for token in (first["access_token"], second["refresh_token"]):
        revoked = await api.post("/revoke", {"token": token}, auth=web)
        assert revoked.status_code == 200
    assert error(await refresh(second["refresh_token"])) == (400, "invalid_grant")


async def test_a_reused_token_ends_its_family_with_the_services_rights(service: Pool) -> None:
    """The rotation, the same token again without grace, and the end."""
    client, families = with_grace(0), families_on(service)
    first = await a_family(families, client)
    await rotated(families, first.refresh_token, client)
    await present(families, first.refresh_token, client)
    assert await service.fetchval("SELECT cause FROM family WHERE id = $1", first.family) == "reuse"


async def test_a_relay_works_with_each_services_rights(service: Pool, revocation: Pool) -> None:
    """Lease, manifest, epochs and the outbox's days."""
    for pool in (service, revocation):
        lease = Lease(pool)
        await lease.acquire()
        async with transaction(pool) as connection:
            state: State = await take_over(connection, lease.owner)
            await begin_epoch(connection, lease.owner, state, "topic_recreated")
            await forget(connection, before=0, longer_ago=timedelta(days=1))
            await connection.fetchval("SELECT tend_outbox('8 days', 0, '{}')")
        await lease.release()


async def test_the_revocation_service_judges_kills_and_forgets(revocation: Pool) -> None:
    """Verdicts, decisions, watermarks, entries sent again and entries forgotten."""
    facts = Facts()
    await handle(revocation, facts.started(), facts.rotated(2), facts.rotated(3))
    await handle(revocation, facts.stale(1, 3))
    request = KillRequest(
        selector=Selector(kind=SelectorKind.CLIENT, value="web"),
        reason="stolen",
        actor="an operator",
        idempotency_key="once",
        correlation_id="test",
    )
    kill, again = [
        await decide_kill(revocation, request, hash_key=HASH_KEY, poke=lambda: None)
        for _ in range(2)
    ]
    assert isinstance(kill, Kill)
    assert kill == again
    await handle(revocation, facts.applied(kill.id, request.selector))
    assert {entry.state for entry in await entries(revocation)} == {"pending", "applied"}
    async with transaction(revocation) as connection:
        await advance(connection, {"token-lifecycle/0": facts.at})
    await resend_pending(revocation, poke=lambda: None)
    await forget_entries(revocation)


async def test_the_audit_service_appends_and_its_reader_reads(audit: Pool, reader: Pool) -> None:
    """Two roles: one records and makes months, the other searches and tells families."""
    story = audit_parts.Story()
    async with transaction(audit) as connection:
        await partitions.tend(connection)
        await partitions.misplaced(connection)
    await audit_parts.record(audit, story.started(), story.ended(EndCause.LOGOUT))
    page = await search_records(reader, Search(family=story.family, order=Order.OLDEST))
    assert len(page.records) == 2
    assert await tell_family(reader, story.family, Window(limit=10)) is not None


async def _registered(admin: Pool, *registered: Client) -> dict[str, str]:
    """Somebody to sign in, and clients with the secrets that they got."""
    people = People(pool=admin, passwords=_cheap(), hash_key=HASH_KEY, poke=lambda: None)
    try:
        await _an_account(people)
    finally:
        people.passwords.close()
    secrets = {}
    for client in registered:
        made = await clients.register_client(admin, client, confidential=True, **BY)
        assert isinstance(made, clients.Registered)
        assert made.secret is not None
        secrets[client.client_id] = made.secret
    return secrets


def _cheap() -> Passwords:
    return Passwords(passes=1, memory_kib=64, lanes=1)


async def _an_account(people: People) -> None:
    made = await create_account(
        people,
        username=USERNAME,
        password=PASSWORD,
        name="Alice",
        scopes=frozenset({"orders.read"}),
        actor="an operator",
        correlation_id="test",
    )
    assert isinstance(made, Account)
