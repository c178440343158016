from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from messaging.security import KafkaSettings
from tests.support.guarded_kafka import certificate

PASSWORD = "correct horse battery staple"
SASL = {"kafka_sasl_username": "issuer", "kafka_sasl_password": PASSWORD}


def settings(**changes: Any) -> KafkaSettings:
    return KafkaSettings.model_validate({"kafka_bootstrap": "kafka:9092", **changes})


def test_the_default_is_a_network_of_ones_own() -> None:
    """Neither TLS nor SASL, as the embedded broker has it."""
    assert settings().kafka_security() == {"security_protocol": "PLAINTEXT"}


def test_a_password_goes_over_tls_by_scram() -> None:
    """With nothing said but who we are, brokers must show a certificate and get no password."""
    security = settings(kafka_security_protocol="SASL_SSL", **SASL).kafka_security()
    assert security["ssl_context"].check_hostname
    assert (security["security_protocol"], security["sasl_mechanism"]) == (
        "SASL_SSL",
        "SCRAM-SHA-512",
    )
    assert (security["sasl_plain_username"], security["sasl_plain_password"]) == (
        "issuer",
        PASSWORD,
    )


def test_a_certificate_of_ones_own_is_shown(tmp_path: Path) -> None:
    """Mutual TLS: the files are read at once, so that a wrong one ends the start."""
    ca, both = certificate(tmp_path)
    security = settings(
        kafka_security_protocol="SSL", kafka_ca_path=ca, kafka_certificate_path=both
    ).kafka_security()
    assert len(security["ssl_context"].get_ca_certs()) == 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"kafka_security_protocol": "SASL_SSL"}, "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"),
        (SASL, "KAFKA_SASL_... without SASL"),
        ({"kafka_security_protocol": "SSL", **SASL}, "KAFKA_SASL_... without SASL"),
        (
            {
                "kafka_security_protocol": "SASL_PLAINTEXT",
                "kafka_sasl_mechanism": "PLAIN",
                **SASL,
            },
            "would send the password in clear",
        ),
        ({"kafka_ca_path": "/ca.pem"}, "PLAINTEXT would not use"),
        (
            {"kafka_security_protocol": "SSL", "kafka_key_path": "/key.pem"},
            "nothing without KAFKA_CERTIFICATE_PATH",
        ),
        (
            {"kafka_security_protocol": "SSL", "kafka_ca_path": "/nowhere/ca.pem"},
            "KAFKA_CA_PATH can't be used: No such file",
        ),
        ({"kafka_security_protocol": "SASL"}, "SASL_PLAINTEXT"),
    ],
)
def test_what_would_be_ignored_or_unsafe_is_refused(changes: dict[str, Any], told: str) -> None:
    """Each names the setting to change, and repeats no secret."""
    with pytest.raises(ValidationError) as refused:
        settings(**changes)
    words = str(refused.value.errors(include_input=False, include_url=False))
    assert told in words
    assert PASSWORD not in words
