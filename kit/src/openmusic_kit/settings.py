"""Settings come from the environment (or a file ``.env`` in the working directory), never from code."""

from typing import Literal, Self

from pydantic import SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

DEVELOPMENT_SECRET = "development-only"  # noqa: S105 - refused in production
DEFAULT_SECRETS = (DEVELOPMENT_SECRET, "guest:guest@")  # the second is RabbitMQ's own


class ServiceSettings(BaseSettings):
    """What every process needs; a service adds the mixins below for what it uses."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", env_ignore_empty=True)

    host: str = "127.0.0.1"
    port: int
    environment: Literal["development", "test", "production"] = "development"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    service_credential: SecretStr = SecretStr(DEVELOPMENT_SECRET)
    """Shared by the services; opens ``/internal`` routes."""
    shutdown_grace: float = 10.0
    """Seconds that requests in flight get to finish after SIGTERM."""
    body_limit: int = 1_048_576
    """Bytes of a request body; more is 413."""
    body_timeout: float = 30.0
    """Seconds between two pieces of a request body, and for all of it beyond 500 bytes a second; later is 408.

    A service, which is behind the gateway, waits twice as long for a piece.
    """
    metrics_port: int | None = None
    """Where ``/metrics`` is served for Prometheus; without one, nowhere."""
    metrics_host: str = "127.0.0.1"
    header_limit: int = 32_768
    """Bytes of all request headers together that the gateway accepts; more is 431. Twice that ends any connection."""

    @model_validator(mode="after")
    def _refuse_default_secrets_in_production(self) -> Self:
        if self.environment != "production":
            return self
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, SecretStr) and any(known in value.get_secret_value() for known in DEFAULT_SECRETS):
                raise ValueError(f"{name.upper()} must be set when ENVIRONMENT=production")
        return self


class DatabaseSettings(BaseSettings):
    pghost: str = "127.0.0.1"
    pgport: int = 5432
    pguser: str
    pgpassword: SecretStr = SecretStr(DEVELOPMENT_SECRET)
    pgdatabase: str
    pg_pool_max: int = 10
    """Connections of one process; a request waits at most ``pg_pool_wait`` seconds for one."""
    pg_pool_wait: float = 3.0
    pg_statement_timeout: float = 10.0
    """Seconds after which PostgreSQL gives up on a statement."""


class CacheSettings(BaseSettings):
    redis_server: str = "127.0.0.1"
    redis_port: int = 6379
    redis_password: SecretStr | None = None
    redis_tls: bool = False
    """Whether Redis is reached over TLS, and its certificate is checked."""


class BrokerSettings(BaseSettings):
    rabbitmq_server: SecretStr = SecretStr("amqp://guest:guest@127.0.0.1:5672/")


class IdentitySettings(BaseSettings):
    auth_url: str = "http://127.0.0.1:5101"
    token_issuer: str = "openmusic-auth"  # noqa: S105 - a name, not a secret
    token_audience: str = "openmusic"  # noqa: S105 - a name, not a secret


def problems(error: ValidationError) -> list[str]:
    """A line for each wrong setting: its name and the reason, never its value."""
    return [
        f"{'.'.join(str(part).upper() for part in problem['loc'])} {problem['msg']}".strip()
        for problem in error.errors(include_input=False)
    ]
