"""Every knob of the revocation service: `REVOCAST_REVOCATION_<NAME>`, secrets also `..._FILE`."""

from base64 import b64decode
from binascii import Error as Base64Error
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from messaging.security import KafkaSettings
from revocast_contracts.lifetimes import SKEW
from revocation.domain.detector import Rule
from servicekit.settings import ServiceSettings

HASH_KEY_BYTES = 32


class RevocationSettings(KafkaSettings, ServiceSettings):
    """The settings of one process of the service."""

    model_config = SettingsConfigDict(env_prefix="REVOCAST_REVOCATION_")

    url: str = Field(description="Our base URL; what tokens for this API carry as `aud`.")
    issuer_url: str = Field(description="The issuer whose tokens we accept, as in `iss`.")
    issuer_jwks_uri: str | None = Field(
        default=None, description="Only where the issuer cannot be reached under its own name."
    )
    database_url: SecretStr
    migration_database_url: SecretStr | None = Field(
        default=None, description="The owner's, for `migrate`; the default is `database_url`."
    )
    kafka_replication: int = Field(
        default=1, ge=1, description="Replicas of topics we create: 1 for one broker, else 3."
    )
    personal_data_hash_key: SecretStr = Field(
        description="Base64, 32 bytes or more: the issuer's, or subject kills match no token."
    )
    host: str = Field(default="127.0.0.1", description="0.0.0.0 in a container.")
    port: int = Field(default=8401, ge=0, le=65535)
    database_connections: int = Field(
        default=10, ge=5, description="The relay takes two, the consumer and upkeep one each."
    )
    jwks_path: Path | None = Field(
        default=None, description="Keeps the issuer's public keys, so that we start without it."
    )
    max_staleness_seconds: float = Field(
        default=30,
        ge=SKEW.total_seconds() + 2,
        description="Beyond it our API accepts young tokens only. Rides out a broker's restart.",
    )
    stale_token_age_seconds: float = Field(
        default=300,
        ge=0,
        description="How young: an operator must be able to kill while the issuer is down.",
    )
    kill_wait_seconds: float = Field(
        default=5, ge=0, description="How long a POST waits; a healthy issuer takes milliseconds."
    )
    longest_kill_wait_seconds: float = Field(
        default=30, ge=0, description="What a caller may ask for; below what proxies allow."
    )
    detector_ends: Annotated[frozenset[Rule], NoDecode] = Field(
        default=frozenset(Rule),
        description="The detector's rules that end a family, comma-separated. All: a bearer "
        "token that two parties hold is stolen.",
    )
    relay_poll_milliseconds: int = Field(
        default=20, ge=1, description="How soon the relay finds what another replica wrote."
    )
    drain_seconds: float = Field(default=35, ge=0, description="Outlasts the longest wait.")
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    @field_validator("detector_ends", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return frozenset(word.strip() for word in value.split(",") if word.strip())
        return value

    @field_validator("personal_data_hash_key")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        try:
            key = b64decode(value.get_secret_value(), validate=True)
        except (Base64Error, ValueError):
            raise ValueError("not base64") from None
        if len(key) < HASH_KEY_BYTES:
            raise ValueError(f"fewer than {HASH_KEY_BYTES} bytes")
        return value

    @property
    def hash_key(self) -> bytes:
        """The key of `subject_hash`, in bytes."""
        return b64decode(self.personal_data_hash_key.get_secret_value())

    @property
    def max_staleness(self) -> timedelta:
        """How old our knowledge of revocations may be before tokens must be young."""
        return timedelta(seconds=self.max_staleness_seconds)

    @property
    def stale_token_age(self) -> timedelta:
        """How young tokens must be then."""
        return timedelta(seconds=self.stale_token_age_seconds)

    @property
    def relay_poll(self) -> timedelta:
        """How often the relay looks without being told to."""
        return timedelta(milliseconds=self.relay_poll_milliseconds)
