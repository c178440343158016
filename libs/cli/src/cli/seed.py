"""The demo's clients and people: made once, remembered in `.revocast/secrets/demo.json` (0600)."""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cli.demo import Demo, DemoClient, Person
from issuer.domain.client import Client, GrantType, Resource
from issuer.usecases.clients import (
    DEFAULTS,
    Registered,
    change_client,
    put_resource,
    register_client,
    replace_secret,
)
from issuer.usecases.create_account import AccountRefused, create_account
from issuer.usecases.people import People
from issuer.usecases.set_password import set_password
from servicekit.postgres import Pool

ACTOR = "demo"
LOGIN_FIELDS = {"username": "username", "password": "password"}
SCOPES = {
    "sample_api": frozenset({"orders.read"}),
    "revocation": frozenset({"revocations.read", "revocations.write"}),
    "audit": frozenset({"audit.read"}),
}
OPERATOR_SCOPES = frozenset().union(*SCOPES.values())
PERSONAL = frozenset({"openid", "profile", "email"})


@dataclass(frozen=True, slots=True)
class Remembered:
    """Secrets and passwords by name: the database has only their hashes."""

    path: Path

    def read(self) -> dict[str, str]:
        """All of them; empty before the first start."""
        if not self.path.exists():
            return {}
        remembered: dict[str, str] = json.loads(self.path.read_text())
        return remembered

    def write(self, remembered: Mapping[str, str]) -> None:
        """Keep them, for the owner only."""
        new = self.path.with_suffix(".new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(remembered, file)
        new.replace(self.path)


def demo_clients(urls: Mapping[str, str]) -> dict[str, tuple[Client, bool]]:
    """The six clients by name, each with whether it is confidential."""
    callback = f"{urls['sample_api']}/callback"
    resources = (urls["sample_api"], urls["audit"], urls["revocation"])
    person = replace(
        DEFAULTS, scopes=PERSONAL | OPERATOR_SCOPES, resources=resources, redirect_uris=(callback,)
    )
    names = frozenset({"web", "web2", "spa", "native", "machine"})
    machine = replace(
        DEFAULTS,
        client_id="machine",
        name="Machine",
        grants=frozenset({GrantType.CLIENT_CREDENTIALS}),
        scopes=SCOPES["sample_api"],
        resources=resources[:1],
    )
    api = replace(
        machine,
        client_id="api",
        name="API",
        grants=frozenset(),
        scopes=frozenset(),
        introspects=names,
    )
    return {
        "web": (replace(person, client_id="web", name="Web shop"), True),
        "web2": (replace(person, client_id="web2", name="Web office"), True),
        "spa": (replace(person, client_id="spa", name="Browser app"), False),
        "native": (
            replace(
                person,
                client_id="native",
                name="Phone app",
                native=True,
                redirect_uris=("http://127.0.0.1/callback",),
            ),
            False,
        ),
        "machine": (machine, True),
        "api": (api, True),
    }


async def seed(
    pool: Pool,
    people: People,
    *,
    urls: Mapping[str, str],
    kafka_bootstrap: str,
    remembered: Remembered,
) -> Demo:
    """Make what is missing, and describe the whole demo. Doing it again changes addresses only."""
    known = remembered.read()
    for name, scopes in SCOPES.items():
        api = Resource(uri=urls[name], profile="rfc9068", alg="ES256", scopes=scopes)
        await put_resource(pool, api)
    clients = {
        name: await _client(pool, client, confidential=confidential, known=known)
        for name, (client, confidential) in demo_clients(urls).items()
    }
    user = await _person(people, "alice", SCOPES["sample_api"], known)
    operator = await _person(people, "oscar", OPERATOR_SCOPES, known)
    remembered.write(known)
    return Demo(
        issuer=urls["issuer"],
        urls=dict(urls),
        kafka_bootstrap=kafka_bootstrap,
        clients=clients,
        user=user,
        operator=operator,
        login_fields=LOGIN_FIELDS,
    )


async def _client(
    pool: Pool, client: Client, *, confidential: bool, known: dict[str, str]
) -> DemoClient:
    outcome = await register_client(
        pool, client, confidential=confidential, actor=ACTOR, correlation_id=ACTOR
    )
    name = f"client:{client.client_id}"
    if isinstance(outcome, Registered):
        known.pop(name, None)
        secret = outcome.secret
    else:  # other ports than before are other addresses
        await change_client(pool, client, actor=ACTOR, correlation_id=ACTOR)
        secret = known.get(name)
        if confidential and secret is None:
            secret = await replace_secret(pool, client.client_id, actor=ACTOR, correlation_id=ACTOR)
    if secret is not None:
        known[name] = secret
    return DemoClient(
        client_id=client.client_id,
        client_secret=secret,
        redirect_uri=next(iter(client.redirect_uris), None),
        scope=" ".join(sorted(client.scopes)),
    )


async def _person(
    people: People, username: str, scopes: frozenset[str], known: dict[str, str]
) -> Person:
    name = f"person:{username}"
    password = known.get(name) or secrets.token_urlsafe(15)
    outcome = await create_account(
        people,
        username=username,
        password=password,
        name=username.capitalize(),
        scopes=scopes,
        actor=ACTOR,
        correlation_id=ACTOR,
    )
    if isinstance(outcome, AccountRefused) and name not in known:
        await set_password(
            people, username=username, password=password, actor=ACTOR, correlation_id=ACTOR
        )
    known[name] = password
    return Person(username=username, password=password)
