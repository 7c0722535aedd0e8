from pydantic import Field, SecretStr

from openmusic_kit.settings import DEVELOPMENT_SECRET, BrokerSettings, DatabaseSettings, ServiceSettings


class Settings(DatabaseSettings, BrokerSettings, ServiceSettings):
    port: int = 5101
    catalog_url: str = "http://127.0.0.1:5102"
    playlist_url: str = "http://127.0.0.1:5103"
    export_url: str = "http://127.0.0.1:5105"
    pguser: str = "openmusic_auth"
    pgdatabase: str = "openmusic_auth"
    token_issuer: str = "openmusic-auth"  # noqa: S105 - a name, not a secret
    token_audience: str = "openmusic"  # noqa: S105 - a name, not a secret
    access_token_age: int = Field(1800, gt=0)
    """Seconds until an access token expires."""
    refresh_token_age: int = Field(604_800, gt=0)
    """Seconds until a refresh token expires."""
    signing_key_secret: SecretStr = SecretStr(DEVELOPMENT_SECRET)
    """Encrypts the private signing keys in the database."""
    password_memory: int = Field(7_168, ge=8)
    """KiB per Argon2id hash. OWASP lists pairs of memory and rounds of equal strength, from 46 MiB and one round to
    7 MiB and five; this pair takes the least memory."""
    password_rounds: int = Field(5, ge=1)
