"""Who takes part: people, clients and an operator, made with the issuer's own admin use cases."""

import os
from dataclasses import dataclass, replace

from cli.demo import Person
from cli.issuer_admin import Admin, issuer_admin
from cli.seed import demo_clients
from issuer.usecases.clients import Registered, register_client
from issuer.usecases.create_account import create_account
from tests.support.breakable import BreakableSystem
from tests.support.postgres import apart

PEOPLE = 6
APPS = 3
MACHINES = 2
SCOPES = frozenset({"orders.read"})
ACTOR = "fire"


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A confidential client. `redirect_uri` is None for a machine."""

    client_id: str
    secret: str
    redirect_uri: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """All of them; `audience` is the API that every token of the load is for."""

    people: list[Person]
    apps: list[App]
    machines: list[App]
    operator: Person
    operators_app: App
    issuer: str
    audience: str
    revocation: str


def cast(system: BreakableSystem) -> Cast:
    """Register everybody."""
    return apart(_cast(system))


async def _cast(system: BreakableSystem) -> Cast:
    demo = system.demo
    web = demo.clients["web"]
    async with issuer_admin(system.stack.environment("issuer")) as admin:
        return Cast(
            people=[await _person(admin, f"person{number}") for number in range(PEOPLE)],
            apps=[await _app(admin, system, "web", number) for number in range(APPS)],
            machines=[await _app(admin, system, "machine", n) for n in range(MACHINES)],
            operator=demo.operator,
            operators_app=App(
                client_id=web.client_id,
                secret=web.client_secret or "",
                redirect_uri=web.redirect_uri,
            ),
            issuer=demo.issuer,
            audience=demo.urls["sample_api"],
            revocation=demo.urls["revocation"],
        )


async def _person(admin: Admin, username: str) -> Person:
    password = f"a long enough password of {username} {os.urandom(8).hex()}"
    await create_account(
        admin.people,
        username=username,
        password=password,
        name=username.capitalize(),
        scopes=SCOPES,
        actor=ACTOR,
        correlation_id=ACTOR,
    )
    return Person(username=username, password=password)


async def _app(admin: Admin, system: BreakableSystem, like: str, number: int) -> App:
    model, _ = demo_clients(system.demo.urls)[like]
    client = replace(model, client_id=f"fire-{like}-{number}", name=f"Fire {like} {number}")
    registered = await register_client(
        admin.pool, client, confidential=True, actor=ACTOR, correlation_id=ACTOR
    )
    assert isinstance(registered, Registered), registered
    return App(
        client_id=client.client_id,
        secret=registered.secret or "",
        redirect_uri=next(iter(client.redirect_uris), None),
    )
