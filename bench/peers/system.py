"""What a system under comparison has to offer: how it is made ready, and the load it bears."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from bench.code_flow import Visitor, code_flow
from bench.load import Operation
from bench.operations import Chain, Target, client_credentials, introspect, refresh
from devstack.stack import DIRECTORY

BENCH = DIRECTORY / "bench"
"""Downloads, builds and results; ignored by git."""

RUN = BENCH / "run"
"""State of whatever runs: each system starts with an empty one."""

FEW, MANY = 16, 64
"""Clients at once: a few, and enough to share commits."""

CHAINS = 8 * MANY
"""Of refresh tokens: none gets so long that its length is what is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One row: `clients` of them do `operation`; `make` makes what the n-th of them does."""

    operation: str
    clients: int
    target: Target
    make: Callable[[int], Awaitable[Operation]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A running system. `warm_up` is repeated first; `database` is the superuser's address."""

    version: str
    database: str
    warm_up: Measure
    measures: list[Measure]


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """`prepare` fetches and builds; `running` starts it with an empty database and ends it."""

    name: str
    prepare: Callable[[], None]
    running: Callable[[], AbstractContextManager[Subject]]


def refreshes(target: Target, clients: int, chains: list[Chain], name: str = "refresh") -> Measure:
    """Each client rotates its share of the chains, in turn."""
    return Measure(
        operation=name,
        clients=clients,
        target=target,
        make=lambda number: refresh(target, chains[number::clients]),
    )


def issues(target: Target) -> Measure:
    """Clients get tokens for themselves."""
    return Measure(
        operation="client credentials",
        clients=FEW,
        target=target,
        make=lambda number: client_credentials(target),
    )


def introspections(target: Target, tokens: list[dict[str, str]]) -> Measure:
    """Each client asks about an access token of its own."""
    return Measure(
        operation="introspection",
        clients=FEW,
        target=target,
        make=lambda number: introspect(target, tokens[number]["access_token"]),
    )


def logins(target: Target, visitors: Sequence[Visitor]) -> Measure:
    """Each client sends its share of the signed-in browsers for codes, which become tokens."""
    return Measure(
        operation="code flow with PKCE",
        clients=FEW,
        target=target,
        make=lambda number: code_flow(target, visitors[number::FEW]),
    )
