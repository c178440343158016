"""Serves the sample API; its settings are `REVOCAST_SAMPLE_API_*` of the environment."""

import os
import ssl
import sys
from pathlib import Path
from typing import Any

import uvicorn
from examples.sample_api.app import make_app

from revocast import Guard

PREFIX = "REVOCAST_SAMPLE_API_"


def main() -> None:
    """Serve until SIGTERM or SIGINT.

    `URL`: its own base URL, the `aud` of its tokens. `ISSUER_URL`: the `iss`. `KAFKA_BOOTSTRAP`:
    host:port, comma-separated. Optional: `HOST`, `PORT`; `JWKS_URI`, where the issuer's keys are
    when it cannot be reached under its own URL; `JWKS_PATH`, the file that keeps them; and for a
    Kafka with TLS and passwords `KAFKA_SASL_USERNAME`, `KAFKA_SASL_PASSWORD`,
    `KAFKA_SASL_MECHANISM` and `KAFKA_CA_PATH`.
    """
    path = os.environ.get(f"{PREFIX}JWKS_PATH")
    guard = Guard(
        issuer=_required("ISSUER_URL"),
        audience=_required("URL"),
        kafka=_required("KAFKA_BOOTSTRAP"),
        kafka_security=_kafka_security(),
        jwks_path=Path(path) if path else None,
        jwks_uri=os.environ.get(f"{PREFIX}JWKS_URI"),
    )
    uvicorn.run(
        make_app(guard),
        host=os.environ.get(f"{PREFIX}HOST", "127.0.0.1"),
        port=int(os.environ.get(f"{PREFIX}PORT", "8403")),
        server_header=False,
        access_log=False,
    )


def _kafka_security() -> dict[str, Any] | None:
    username = os.environ.get(f"{PREFIX}KAFKA_SASL_USERNAME")
    if not username:
        return None
    ca = os.environ.get(f"{PREFIX}KAFKA_CA_PATH")
    return {
        "security_protocol": "SASL_SSL",
        "ssl_context": ssl.create_default_context(cafile=ca),
        "sasl_mechanism": os.environ.get(f"{PREFIX}KAFKA_SASL_MECHANISM", "SCRAM-SHA-512"),
        "sasl_plain_username": username,
        "sasl_plain_password": _required("KAFKA_SASL_PASSWORD"),
    }


def _required(name: str) -> str:
    value = os.environ.get(PREFIX + name)
    if not value:
        sys.exit(f"{PREFIX}{name} is not set")
    return value


if __name__ == "__main__":
    main()
