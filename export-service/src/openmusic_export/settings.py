from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from openmusic_kit.settings import BrokerSettings, DatabaseSettings, IdentitySettings, ServiceSettings


class DatabaseOfExports(DatabaseSettings):
    pguser: str = "openmusic_export"
    pgdatabase: str = "openmusic_export"
    playlist_url: str = "http://127.0.0.1:5103"


class Settings(DatabaseOfExports, BrokerSettings, IdentitySettings, ServiceSettings):
    """Of the API."""

    port: int = 5105


class WorkerSettings(DatabaseOfExports, BrokerSettings, ServiceSettings):
    """Of the worker; its port serves health checks only."""

    port: int = 5106
    export_concurrency: int = Field(10, ge=1)
    """Mails that one worker sends at once; each holds a database connection meanwhile."""
    export_retry_for: float = 259_200
    """Seconds after its first failure that an export goes to the dead letters."""
    mail_from: str = "OpenMusic <no-reply@openmusic.example>"
    mail_subject: str = "Your playlist export"
    smtp_host: str = "127.0.0.1"
    smtp_port: int = 1025
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_security: Literal["none", "starttls", "tls"] | None = None
    """By default ``starttls`` when there is a user to log in, else ``none``."""
    smtp_timeout: float = 15.0
    """Seconds that the mail server has for each step."""

    @model_validator(mode="after")
    def _leave_room_in_the_pool(self) -> Self:
        self.pg_pool_max = max(self.pg_pool_max, self.export_concurrency + 2)
        return self
