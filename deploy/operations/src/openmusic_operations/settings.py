from pydantic_settings import SettingsConfigDict

from openmusic_kit.settings import BrokerSettings


class Settings(BrokerSettings):
    model_config = SettingsConfigDict(env_file=".env", extra="ignore", env_ignore_empty=True)
