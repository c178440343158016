"""Keycloak 26.7 from its own distribution: production mode, ES256, rotation without any reuse."""

import os
import re
import secrets
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from bench.operations import Chain, Target
from bench.peers.realm import CLIENT, Realm
from bench.peers.system import (
    BENCH,
    CHAINS,
    FEW,
    MANY,
    Subject,
    System,
    introspections,
    issues,
    logins,
    refreshes,
)
from bench.peers.tools import first_line, postgres, program, run, serving
from devstack.errors import DevstackError
from devstack.ports import LOOPBACK, free_port
from devstack.postgres import SUPERUSER

VERSION = "26.7.0"
HOME = (BENCH / f"keycloak-{VERSION}").absolute()
BUILT = HOME / "built"
OLDEST_JAVA = 17


def prepare() -> None:
    """Fetch the distribution with Maven, and build it for PostgreSQL and a cache of its own.

    Raises:
        DevstackError: Java, Maven or bash is missing, or one of them failed.
    """
    version, bash = _java(), program("bash", "bash")
    if int(version.split(".")[0]) < OLDEST_JAVA:
        raise DevstackError(f"Keycloak needs Java {OLDEST_JAVA} or later: install a newer JDK")
    if BUILT.exists():
        return
    artifact = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
    maven = program("mvn", "Maven (maven)")
    BENCH.mkdir(parents=True, exist_ok=True)
    fetch = [maven, "-q", "-B", "dependency:copy", f"-Dartifact={artifact}", "-DoutputDirectory=."]
    run("keycloak-fetch", fetch, directory=BENCH, environment=os.environ)
    shutil.rmtree(HOME, ignore_errors=True)
    with zipfile.ZipFile(BENCH / f"keycloak-quarkus-dist-{VERSION}.zip") as archive:
        archive.extractall(BENCH)
    build = [bash, str(HOME / "bin" / "kc.sh"), "build", "--db=postgres", "--cache=local"]
    run("keycloak-build", build, directory=HOME, environment=os.environ)
    BUILT.touch()


@contextmanager
def running() -> Iterator[Subject]:
    """Keycloak with a realm and its people."""
    port, password = free_port(), secrets.token_urlsafe(24)
    url = f"http://{LOOPBACK}:{port}"
    realm = Realm(url=url, client_secret=secrets.token_urlsafe(32), password=password, people=MANY)
    with postgres() as database:
        environment = {
            **os.environ,
            "KC_DB_URL": f"jdbc:postgresql://{LOOPBACK}:{database.port}/postgres",
            "KC_DB_USERNAME": SUPERUSER,
            "KC_DB_PASSWORD": urlsplit(database.dsn()).password or "",
            "KC_HTTP_ENABLED": "true",
            "KC_HTTP_HOST": LOOPBACK,
            "KC_HTTP_PORT": str(port),
            "KC_HOSTNAME_STRICT": "false",
            "KC_BOOTSTRAP_ADMIN_USERNAME": "admin",
            "KC_BOOTSTRAP_ADMIN_PASSWORD": password,
        }
        start = [program("bash", "bash"), str(HOME / "bin" / "kc.sh"), "start", "--optimized"]
        ready = f"{url}/realms/master"
        with serving("keycloak", start, environment=environment, ready=ready) as child:
            realm.make(password)
            processes = {"keycloak": [child.pid], "postgres": [database.pid]}
            yield _subject(realm, processes, database.dsn())


def _subject(realm: Realm, processes: dict[str, list[int]], database: str) -> Subject:
    """One confidential client does all of it."""
    target = Target(
        name="Keycloak",
        token=f"{realm.endpoints}/token",
        introspection=f"{realm.endpoints}/token/introspect",
        jwks=f"{realm.endpoints}/certs",
        client_id=CLIENT,
        client_secret=realm.client_secret,
        parameters={},
        processes=processes,
    )
    tokens = realm.log_in(CHAINS)
    chains = [Chain(each["refresh_token"]) for each in tokens]
    return Subject(
        version=f"Keycloak {VERSION} on Java {_java()}",
        database=database,
        warm_up=refreshes(target, MANY, chains),
        measures=[
            refreshes(target, FEW, chains),
            refreshes(target, MANY, chains),
            issues(target),
            logins(target, [realm.sign_in(number) for number in range(FEW)]),
            introspections(target, tokens),
        ],
    )


def _java() -> str:
    java = program("java", f"a JDK, version {OLDEST_JAVA} or later")
    told = re.search(r'"([^"]+)"', first_line([java, "-version"]))
    return told[1] if told else "0"


KEYCLOAK = System(name="keycloak", prepare=prepare, running=running)
