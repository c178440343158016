"""How a process is let in to Kafka: settings in Kafka's own words, aiokafka's arguments from them.

What would be ignored is refused: who sets a password believes that it protects something.
"""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

from pydantic import BaseModel, Field, SecretStr, model_validator

Security: TypeAlias = Mapping[str, Any]
"""Further arguments of aiokafka's clients: TLS and SASL."""


class KafkaSettings(BaseModel):
    """A part of every service's settings; they read it under their own prefix."""

    kafka_bootstrap: str = Field(description="host:port, comma-separated.")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="Only for a network of one's own; else SASL_SSL or SSL."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="With SASL. SCRAM never sends the password."
    )
    kafka_sasl_username: str | None = Field(default=None, description="With SASL: our principal.")
    kafka_sasl_password: SecretStr | None = Field(default=None, description="With SASL.")
    kafka_ca_path: Path | None = Field(
        default=None, description="With TLS: who signs the brokers; the default is the system's."
    )
    kafka_certificate_path: Path | None = Field(
        default=None, description="With TLS where brokers ask for one: our certificate."
    )
    kafka_key_path: Path | None = Field(
        default=None, description="The certificate's key, where it is not in the same file."
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        tls = self.kafka_security_protocol.endswith("SSL")
        self._check_sasl()
        if (
            self.kafka_security_protocol == "SASL_PLAINTEXT"
            and self.kafka_sasl_mechanism == "PLAIN"
        ):
            raise ValueError("PLAIN without TLS would send the password in clear: use SASL_SSL")
        files = (self.kafka_ca_path, self.kafka_certificate_path, self.kafka_key_path)
        if not tls and any(files):
            raise ValueError(f"{self.kafka_security_protocol} would not use KAFKA_..._PATH")
        if self.kafka_key_path and not self.kafka_certificate_path:
            raise ValueError("KAFKA_KEY_PATH is nothing without KAFKA_CERTIFICATE_PATH")
        self.kafka_security()
        return self

    def _check_sasl(self) -> None:
        used = self.kafka_security_protocol.startswith("SASL")
        values = (self.kafka_sasl_username, self.kafka_sasl_password)
        if used and None in values:
            raise ValueError("SASL needs KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD")
        if not used and values != (None, None):
            raise ValueError(
                "KAFKA_SASL_... without SASL: KAFKA_SECURITY_PROTOCOL is SASL_SSL then"
            )

    def kafka_security(self) -> dict[str, Any]:
        """What aiokafka's clients are given beside the address.

        Raises:
            ValueError: a file of TLS can't be read, or holds something else.
        """
        security: dict[str, Any] = {"security_protocol": self.kafka_security_protocol}
        if self.kafka_security_protocol.endswith("SSL"):
            security["ssl_context"] = self._tls()
        if self.kafka_sasl_username is not None and self.kafka_sasl_password is not None:
            security["sasl_mechanism"] = self.kafka_sasl_mechanism
            security["sasl_plain_username"] = self.kafka_sasl_username
            security["sasl_plain_password"] = self.kafka_sasl_password.get_secret_value()
        return security

    def _tls(self) -> ssl.SSLContext:
        name = "KAFKA_CA_PATH"
        try:
            context = ssl.create_default_context(cafile=self.kafka_ca_path)
            name = "KAFKA_CERTIFICATE_PATH"
            if self.kafka_certificate_path:
                context.load_cert_chain(self.kafka_certificate_path, self.kafka_key_path)
        except OSError as error:  # ssl.SSLError is one
            raise ValueError(f"{name} can't be used: {error.strerror or error}") from None
        return context
