"""Every knob of the issuer: `REVOCAST_ISSUER_<NAME>`, secrets also `..._FILE`."""

from base64 import b64decode
from binascii import Error as Base64Error
from datetime import timedelta
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from issuer.domain.refresh_token import MacKeys
from messaging.security import KafkaSettings
from revocast_contracts.lifetimes import SKEW
from servicekit.settings import ServiceSettings

KEY_BYTES = 32
Alg = Literal["ES256", "EdDSA", "RS256", "PS256"]


class IssuerSettings(KafkaSettings, ServiceSettings):
    """The settings of one process of the issuer."""

    model_config = SettingsConfigDict(env_prefix="REVOCAST_ISSUER_")

    url: str = Field(description="The issuer identifier: `iss` of every token, https but locally.")
    database_url: SecretStr
    migration_database_url: SecretStr | None = Field(
        default=None, description="The owner's, for `migrate`; the default is `database_url`."
    )
    admin_database_url: SecretStr | None = Field(
        default=None,
        description="For the command `revocast`: the role that may register clients and accounts, "
        "which the service may not. The default is `database_url`.",
    )
    key_encryption_key: SecretStr = Field(
        description="Base64, 32 bytes: seals the signing keys in the database (AES-256-GCM)."
    )
    refresh_mac_keys: SecretStr = Field(
        description="`key-id:base64`, comma-separated, 32 bytes or more each; the first is active."
    )
    cookie_key: SecretStr = Field(description="Base64, 32 bytes: seals what browsers carry.")
    personal_data_hash_key: SecretStr = Field(
        description="Base64, 32 bytes or more: hashes names, addresses and subjects in events."
    )
    host: str = Field(default="127.0.0.1", description="0.0.0.0 in a container.")
    port: int = Field(default=8400, ge=0, le=65535)
    database_connections: int = Field(
        default=10,
        ge=4,
        description="One each rotates, issues, introspects and relays; the rest is HTTP's.",
    )
    access_token_alg: Alg = Field(
        default="ES256", description="For APIs without a row: small, fast to sign, known to all."
    )
    max_staleness_seconds: float = Field(
        default=30,
        ge=SKEW.total_seconds() + 2,
        description="Introspection answers 503 when kills may be older: outlasts a broker restart.",
    )
    trusted_proxies: int = Field(
        default=0, ge=0, description="Proxies that append to X-Forwarded-For; 0 ignores the header."
    )
    relay_poll_milliseconds: int = Field(
        default=20, ge=1, description="How soon the relay finds what another replica wrote."
    )
    drain_seconds: float = Field(default=15, ge=0, description="Outlasts any request of ours.")
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    @field_validator("url")
    @classmethod
    def _is_an_issuer(cls, value: str) -> str:
        parts = urlsplit(value)
        local = parts.hostname in {"127.0.0.1", "::1", "localhost"}
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise ValueError("must be https (http only on a loopback address)")
        if not parts.hostname or "@" in parts.netloc:
            raise ValueError("must name a host, and no user")
        if "?" in value or "#" in value or value.endswith("/"):
            raise ValueError("must have no query, no fragment and no slash at its end (RFC 8414)")
        return value

    @field_validator("key_encryption_key", "cookie_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        if len(_decode(value.get_secret_value())) != KEY_BYTES:
            raise ValueError(f"must be {KEY_BYTES} bytes in base64")
        return value

    @field_validator("personal_data_hash_key")
    @classmethod
    def _is_long_enough(cls, value: SecretStr) -> SecretStr:
        if len(_decode(value.get_secret_value())) < KEY_BYTES:
            raise ValueError(f"must be {KEY_BYTES} bytes or more in base64")
        return value

    @field_validator("refresh_mac_keys")
    @classmethod
    def _are_mac_keys(cls, value: SecretStr) -> SecretStr:
        _mac_keys(value.get_secret_value())
        return value

    @property
    def mac_keys(self) -> MacKeys:
        """The MAC keys of refresh tokens."""
        return _mac_keys(self.refresh_mac_keys.get_secret_value())

    @property
    def max_staleness(self) -> timedelta:
        """How old our knowledge of kills may be."""
        return timedelta(seconds=self.max_staleness_seconds)

    @property
    def relay_poll(self) -> timedelta:
        """How often the relay looks without being told to."""
        return timedelta(milliseconds=self.relay_poll_milliseconds)

    def key(
        self, name: Literal["key_encryption_key", "cookie_key", "personal_data_hash_key"]
    ) -> bytes:
        """One of the base64 keys, in bytes."""
        secret: SecretStr = getattr(self, name)
        return _decode(secret.get_secret_value())


def _decode(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError):
        raise ValueError("not base64") from None


def _mac_keys(text: str) -> MacKeys:
    keys: dict[str, bytes] = {}
    for each in text.split(","):
        key_id, colon, encoded = each.strip().partition(":")
        if not colon or not key_id.isalnum() or len(key_id) > 16 or key_id in keys:
            raise ValueError("must be key-id:base64 with distinct alphanumeric ids")
        keys[key_id] = _decode(encoded)
        if len(keys[key_id]) < KEY_BYTES:
            raise ValueError(f"each key must be {KEY_BYTES} bytes or more")
    return MacKeys(keys, next(iter(keys)))
