"""Ory Hydra v2.3 built from its own module: JWT access tokens, ES256, a pool that stays open."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx

from bench.operations import Chain, Target
from bench.peers.hydra_login import log_in
from bench.peers.system import (
    BENCH,
    CHAINS,
    FEW,
    MANY,
    Subject,
    System,
    introspections,
    issues,
    refreshes,
)
from bench.peers.tools import first_line, postgres, program, run, serving
from devstack.ports import LOOPBACK, free_port

VERSION = "2.3.0"
SOURCE = Path(__file__).parent / "hydra"
HOME = (BENCH / "hydra").absolute()
BINARY = HOME / f"hydra-{VERSION}"
GO = "Go 1.23 or later"
CONNECTIONS = 20
"""That stay open; with its default of a few it spends its time on opening new ones."""

KEY_SETS = ("hydra.openid.id-token", "hydra.jwt.access-token")
CALLBACK = f"http://{LOOPBACK}/callback"


def prepare() -> None:
    """Build it with Go, from its module and the modules that one names.

    Raises:
        DevstackError: Go is missing, or it failed.
    """
    go = program("go", GO)
    if BINARY.exists():
        return
    shutil.copytree(SOURCE, HOME, dirs_exist_ok=True)
    environment = {**os.environ, "GOFLAGS": "-mod=mod -buildvcs=false"}
    run("hydra-modules", [go, "mod", "tidy"], directory=HOME, environment=environment)
    build = [go, "build", "-o", BINARY.name, "."]
    run("hydra-build", build, directory=HOME, environment=environment)


@contextmanager
def running() -> Iterator[Subject]:
    """Hydra with three clients, and as many logins as there are chains."""
    public, admin = (f"http://{LOOPBACK}:{free_port()}" for _ in range(2))
    with postgres() as database:
        pool = f"max_conns={CONNECTIONS}&max_idle_conns={CONNECTIONS}&sslmode=disable"
        environment = {
            **os.environ,
            "DSN": f"{database.dsn()}?{pool}",
            "SECRETS_SYSTEM": secrets.token_urlsafe(32),
            "URLS_SELF_ISSUER": public,
            "URLS_LOGIN": f"http://{LOOPBACK}/login",
            "URLS_CONSENT": f"http://{LOOPBACK}/consent",
            "STRATEGIES_ACCESS_TOKEN": "jwt",
            "SERVE_PUBLIC_HOST": LOOPBACK,
            "SERVE_PUBLIC_PORT": public.rpartition(":")[2],
            "SERVE_ADMIN_HOST": LOOPBACK,
            "SERVE_ADMIN_PORT": admin.rpartition(":")[2],
            "LOG_LEVEL": "error",
            "SQA_OPT_OUT": "true",
        }
        migrate = [str(BINARY), "migrate", "sql", "-e", "--yes"]
        run("hydra-migrate", migrate, directory=HOME, environment=environment)
        start = [str(BINARY), "serve", "all", "--dev"]
        ready = f"{admin}/health/ready"
        with serving("hydra", start, environment=environment, ready=ready) as child:
            processes = {"hydra": [child.pid], "postgres": [database.pid]}
            yield _subject(public, admin, processes, database.dsn())


def _subject(public: str, admin: str, processes: dict[str, list[int]], database: str) -> Subject:
    """A confidential client for everything, and a public one that refreshes too."""
    secret = secrets.token_urlsafe(32)
    with httpx.Client(base_url=admin, timeout=60) as http:
        for name in KEY_SETS:
            http.post(f"/admin/keys/{name}", json={"alg": "ES256", "use": "sig"}).raise_for_status()
        for client in (_client("web", secret), _client("app", "")):
            http.post("/admin/clients", json=client).raise_for_status()
    confidential = Target(
        name="Hydra",
        token=f"{public}/oauth2/token",
        introspection=f"{admin}/admin/oauth2/introspect",
        jwks=f"{public}/.well-known/jwks.json",
        client_id="web",
        client_secret=secret,
        parameters={},
        processes=processes,
    )
    open_to_all = replace(confidential, client_id="app", client_secret="")
    tokens = [log_in(open_to_all, admin, CALLBACK) for _ in range(CHAINS)]
    others = [log_in(confidential, admin, CALLBACK) for _ in range(FEW)]
    # Of their own: a refresh revokes the access token before it.
    asked = [log_in(confidential, admin, CALLBACK) for _ in range(FEW)]
    chains = [Chain(each["refresh_token"]) for each in tokens]
    secured = [Chain(each["refresh_token"]) for each in others]
    go = first_line([program("go", GO), "version"]).removeprefix("go version ")
    return Subject(
        version=f"Ory Hydra v{VERSION} built with {go}",
        database=database,
        warm_up=refreshes(open_to_all, MANY, chains),
        measures=[
            refreshes(open_to_all, FEW, chains),
            refreshes(open_to_all, MANY, chains),
            refreshes(confidential, FEW, secured, "refresh, client with a secret"),
            issues(confidential),
            introspections(confidential, asked),
        ],
    )


def _client(name: str, secret: str) -> dict[str, object]:
    """A client with a secret, or a public one without."""
    return {
        "client_id": name,
        "client_secret": secret,
        "token_endpoint_auth_method": "client_secret_basic" if secret else "none",
        "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
        "response_types": ["code"],
        "redirect_uris": [CALLBACK],
        "scope": "offline_access orders.read",
    }


HYDRA = System(name="hydra", prepare=prepare, running=running)
