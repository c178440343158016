"""What each of our processes is told: addresses as values, secrets as files."""

from collections.abc import Mapping

from devstack.addresses import Ports
from devstack.keys import Secrets
from devstack.ports import LOOPBACK

WITH_DATABASE = ("issuer", "revocation", "audit")
ROLES = {
    "issuer": "issuer",
    "issuer_admin": "issuer",
    "revocation": "revocation",
    "audit": "audit",
    "audit_reader": "audit",
}
"""Who logs in, and whose database it enters."""
SECRETS = {
    "issuer": ("key-encryption-key", "refresh-mac-keys", "cookie-key", "personal-data-hash-key"),
    "revocation": ("personal-data-hash-key",),
    "audit": (),
    "sample_api": (),
}
NOT_FOR_SERVICES = (
    *("REVOCAST_DATABASE_URL", "REVOCAST_KAFKA_SASL_PASSWORD"),
    *("MAKEFLAGS", "MAKELEVEL", "MFLAGS"),
)
"""What opens the servers for their owner is nobody's business but ours."""


def settings_of(
    service: str,
    *,
    ports: Ports,
    secrets: Secrets,
    kafka_bootstrap: str,
    environment: Mapping[str, str],
) -> dict[str, str]:
    """The environment of a service: the given one, and what it does not say already."""
    urls, prefix = ports.urls(), f"REVOCAST_{service.upper()}_"
    told = {
        "URL": urls[service],
        "HOST": LOOPBACK,
        "PORT": str(ports.items()[service]),
        "KAFKA_BOOTSTRAP": kafka_bootstrap,
    }
    if service != "issuer":
        told["ISSUER_URL"] = urls["issuer"]
        told["JWKS_PATH"] = str(secrets.directory.parent / "jwks" / f"{service}.json")
    if service in WITH_DATABASE:
        told["DATABASE_URL_FILE"] = str(secrets.path(f"{service}-database-url"))
    if service == "issuer":
        told["ADMIN_DATABASE_URL_FILE"] = str(secrets.path("issuer-admin-database-url"))
    if service == "audit":
        told["READER_DATABASE_URL_FILE"] = str(secrets.path("audit-reader-database-url"))
    for name in SECRETS[service]:
        told[f"{name.replace('-', '_').upper()}_FILE"] = str(secrets.path(name))
    inherited = {name: value for name, value in environment.items() if name not in NOT_FOR_SERVICES}
    ours = {
        f"{prefix}{name}": value
        for name, value in told.items()
        if f"{prefix}{name.removesuffix('_FILE')}" not in inherited
    }
    return {**inherited, "PYTHONUNBUFFERED": "1", **ours}
