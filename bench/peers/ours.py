"""Revocast under comparison: the issuer with PostgreSQL alone, and the whole pipeline."""

import asyncio
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from platform import python_version

import httpx
from rich.console import Console

from bench.code_flow import Visitor, cookies_of
from bench.operations import Chain
from bench.peers.system import (
    CHAINS,
    FEW,
    MANY,
    RUN,
    Subject,
    System,
    introspections,
    issues,
    logins,
    refreshes,
)
from bench.throughput import issuer_alone, leave_the_issuer, sign_ins, whole
from cli.demo import Demo, Person
from cli.issuer_admin import issuer_admin
from cli.seed import SCOPES
from cli.story import Story
from cli.up import running as running_system
from devstack.clean import clean
from devstack.stack import Stack
from issuer.usecases.create_account import create_account

VISITORS = 8 * FEW
"""Signed-in browsers, each of a person of its own."""


def prepare() -> None:
    """Nothing: this environment is all of it."""


@contextmanager
def alone() -> Iterator[Subject]:
    """The issuer and PostgreSQL, as the others are; issuances still go to the outbox."""
    with _system() as (stack, demo):
        web = issuer_alone(stack, demo, demo.clients["web"])
        people = asyncio.run(_people(stack))
        chains = [Chain(each["refresh_token"]) for each in _signed_in(demo, people[:MANY])]
        # So many that nobody gets to 100 families: past that each login also ends the oldest.
        visitors = [_visitor(demo, person) for person in people[MANY:]]
        leave_the_issuer(stack)
        yield Subject(
            version=_version(),
            database=_database(stack),
            warm_up=refreshes(web, MANY, chains),
            measures=[
                refreshes(web, FEW, chains),
                refreshes(web, MANY, chains),
                issues(issuer_alone(stack, demo, demo.clients["machine"])),
                logins(web, visitors),
            ],
        )


@contextmanager
def together() -> Iterator[Subject]:
    """All of it; introspection is the issuer's and PostgreSQL's, a refresh everybody's."""
    with _system() as (stack, demo):
        web = whole(stack, issuer_alone(stack, demo, demo.clients["web"]))
        api = issuer_alone(stack, demo, demo.clients["api"])
        tokens = _signed_in(demo, asyncio.run(_people(stack))[:MANY])
        chains = [Chain(each["refresh_token"]) for each in tokens]
        yield Subject(
            version=_version(),
            database=_database(stack),
            warm_up=refreshes(web, MANY, chains),
            measures=[
                refreshes(web, FEW, chains),
                refreshes(web, MANY, chains),
                introspections(replace(api, name="Revocast"), tokens),
            ],
        )


@contextmanager
def _system() -> Iterator[tuple[Stack, Demo]]:
    clean(RUN.absolute())
    with running_system(Console(stderr=True, soft_wrap=True), Stack(RUN)) as (stack, demo):
        yield stack, demo


def _visitor(demo: Demo, person: Person) -> Visitor:
    """A signed-in browser of a person who has allowed the client all this."""
    web, api = demo.clients["web"], demo.urls["sample_api"]
    with httpx.Client(timeout=10) as http, httpx.Client(timeout=10) as browser:
        Story(demo, lambda step: None, http).sign_in(web, person, "orders.read", api, browser)
        return Visitor(
            authorize=f"{demo.issuer}/authorize",
            asked={
                "redirect_uri": web.redirect_uri or "",
                "scope": "orders.read",
                "resource": api,
            },
            cookies=cookies_of(browser),
        )


def _signed_in(demo: Demo, people: Sequence[Person]) -> list[dict[str, str]]:
    """Tokens of as many families as there are chains, of many people: one has only so many."""
    return [tokens for each in people for tokens in sign_ins(demo, CHAINS // len(people), each)]


async def _people(stack: Stack) -> list[Person]:
    people = [
        Person(username=f"person-{number}", password=secrets.token_urlsafe(15))
        for number in range(MANY + VISITORS)
    ]
    async with issuer_admin(stack.environment("issuer")) as admin:
        for person in people:
            await create_account(
                admin.people,
                username=person.username,
                password=person.password,
                name=person.username,
                scopes=SCOPES["sample_api"],
                actor="bench",
                correlation_id="bench",
            )
    return people


def _database(stack: Stack) -> str:
    assert stack.database is not None
    assert stack.database.server is not None
    return stack.database.server.dsn()


def _version() -> str:
    return f"Revocast {version('revocast-issuer')} on Python {python_version()}"


ALONE = System(name="revocast", prepare=prepare, running=alone)
TOGETHER = System(name="pipeline", prepare=prepare, running=together)
