"""Every knob of the audit service: `REVOCAST_AUDIT_<NAME>`, secrets also `..._FILE`."""

from datetime import timedelta
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from messaging.security import KafkaSettings
from revocast_contracts.lifetimes import SKEW
from servicekit.settings import ServiceSettings


class AuditSettings(KafkaSettings, ServiceSettings):
    """The settings of one process of the service."""

    model_config = SettingsConfigDict(env_prefix="REVOCAST_AUDIT_")

    url: str = Field(description="Our base URL; what tokens for this API carry as `aud`.")
    issuer_url: str = Field(description="The issuer whose tokens we accept, as in `iss`.")
    issuer_jwks_uri: str | None = Field(
        default=None, description="Only where the issuer cannot be reached under its own name."
    )
    database_url: SecretStr
    migration_database_url: SecretStr | None = Field(
        default=None, description="The owner's, for `migrate`; the default is `database_url`."
    )
    reader_database_url: SecretStr | None = Field(
        default=None,
        description="For queries: a role that can write nothing. The default is `database_url`.",
    )
    kafka_replication: int = Field(
        default=1, ge=1, description="Replicas of topics we create: 1 for one broker, else 3."
    )
    host: str = Field(default="127.0.0.1", description="0.0.0.0 in a container.")
    port: int = Field(default=8402, ge=0, le=65535)
    database_connections: int = Field(
        default=4, ge=3, description="Consumer and upkeep take one each, and readiness."
    )
    reader_database_connections: int = Field(
        default=6, ge=1, description="What HTTP may use: so many searches run at once."
    )
    retention_days: int = Field(
        default=400,
        ge=60,
        description="How long records are kept: a year and what an audit of it needs. Set by "
        "`migrate`, as the owner: the service itself cannot shorten it.",
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
        gt=0,
        description="How young: what went wrong must be readable while something is down.",
    )
    drain_seconds: float = Field(default=15, ge=0, description="Outlasts the slowest statement.")
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    @property
    def retention(self) -> timedelta:
        """How long records are kept."""
        return timedelta(days=self.retention_days)

    @property
    def max_staleness(self) -> timedelta:
        """How old our knowledge of revocations may be before tokens must be young."""
        return timedelta(seconds=self.max_staleness_seconds)

    @property
    def stale_token_age(self) -> timedelta:
        """How young tokens must be then."""
        return timedelta(seconds=self.stale_token_age_seconds)
