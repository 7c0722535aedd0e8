from pathlib import Path
from typing import Literal, Self

from pydantic import SecretStr, model_validator

from openmusic_kit.settings import DEVELOPMENT_SECRET, BrokerSettings, IdentitySettings, ServiceSettings


class Settings(BrokerSettings, IdentitySettings, ServiceSettings):
    port: int = 5104
    body_limit: int = 512_000 + 65_536
    """Bytes of an upload: the image and the multipart form around it."""
    catalog_url: str = "http://127.0.0.1:5102"
    playlist_url: str = "http://127.0.0.1:5103"
    storage: Literal["local", "s3"] = "local"
    storage_folder: Path = Path(".openmusic/covers")
    """For ``local``: the folder of the covers."""
    s3_endpoint: str = "127.0.0.1:9000"
    """For ``s3``: host and port."""
    s3_access_key: str = "openmusic"
    s3_secret_key: SecretStr = SecretStr(DEVELOPMENT_SECRET)
    s3_bucket: str = "covers"
    s3_region: str = "us-east-1"
    s3_secure: bool = False
    """Whether the storage is reached over TLS."""
    s3_public_endpoint: str = ""
    """The URL at which clients reach the storage, for direct uploads; empty means that they cannot."""

    @model_validator(mode="after")
    def _keep_the_folder_absolute(self) -> Self:
        self.storage_folder = self.storage_folder.absolute()
        return self
