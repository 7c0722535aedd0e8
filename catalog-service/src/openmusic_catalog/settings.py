from openmusic_kit.settings import BrokerSettings, CacheSettings, DatabaseSettings, IdentitySettings, ServiceSettings


class Settings(DatabaseSettings, CacheSettings, BrokerSettings, IdentitySettings, ServiceSettings):
    port: int = 5102
    pguser: str = "openmusic_catalog"
    pgdatabase: str = "openmusic_catalog"
    playlist_url: str = "http://127.0.0.1:5103"
    public_url: str = "http://127.0.0.1:5000"
    """The URL at which clients reach the gateway. Cover URLs start with it."""
    album_cache_ttl: int = 1800
    """Seconds that an album or its number of likes stays cached unless it changes."""
