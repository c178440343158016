"""Makes the secrets of the composed system once: a directory for each reader, and nothing twice.

`python make_secrets.py DIRECTORY`: below it a directory (in compose: a volume) per reader.
Run as root, each file belongs to its reader alone; nothing is printed, nothing leaves the machine.
"""

import os
import secrets
import sys
from base64 import b64encode
from pathlib import Path

SERVICES_UID = 10001
POSTGRES_UID = 999
DATABASES = ("issuer", "revocation", "audit")


def key() -> str:
    """32 random bytes in base64."""
    return b64encode(secrets.token_bytes(32)).decode()


def make() -> dict[str, dict[str, str]]:
    """Reader -> name -> secret."""
    roles = ("superuser", "owner", *DATABASES, "issuer_admin", "audit_reader")
    passwords = {name: secrets.token_urlsafe(24) for name in roles}
    made = {
        name: {"database_url": _dsn(f"revocast_{name}", passwords[name], name)}
        for name in DATABASES
    }
    made["owner"] = {
        f"{name}_database_url": _dsn("revocast_owner", passwords["owner"], name)
        for name in DATABASES
    }
    admin = _dsn("revocast_issuer_admin", passwords["issuer_admin"], "issuer")
    made["admin"] = {"admin_database_url": admin}
    reader = _dsn("revocast_audit_reader", passwords["audit_reader"], "audit")
    made["audit"]["reader_database_url"] = reader
    personal_data_hash_key = key()
    made["issuer"] |= {
        "key_encryption_key": key(),
        "refresh_mac_keys": f"k1:{key()}",
        "cookie_key": key(),
        "personal_data_hash_key": personal_data_hash_key,
    }
    made["revocation"]["personal_data_hash_key"] = personal_data_hash_key
    made["postgres"] = {f"{name}_password": password for name, password in passwords.items()}
    return made


def _dsn(user: str, password: str, database: str) -> str:
    return f"postgresql://{user}:{password}@postgres:5432/revocast_{database}"


def write(directory: Path) -> None:
    """Write them all, and last of all the mark that says so."""
    done = directory / "postgres" / "made"
    if done.exists():
        return
    for reader, named in make().items():
        uid = POSTGRES_UID if reader == "postgres" else SERVICES_UID
        (directory / reader).mkdir(exist_ok=True)
        for name, secret in named.items():
            _write(directory / reader / name, secret, uid)
    done.touch()


def _write(path: Path, secret: str, uid: int) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret)
    if os.geteuid() == 0:
        os.chown(path, uid, uid)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
