from openmusic_kit.settings import BrokerSettings, CacheSettings, DatabaseSettings, IdentitySettings, ServiceSettings


class Settings(DatabaseSettings, CacheSettings, BrokerSettings, IdentitySettings, ServiceSettings):
    port: int = 5103
    pguser: str = "openmusic_playlist"
    pgdatabase: str = "openmusic_playlist"
    catalog_url: str = "http://127.0.0.1:5102"
    public_url: str = "http://127.0.0.1:5000"
    """The URL at which clients reach the gateway. Cover URLs start with it."""
    songs_cache_ttl: int = 1800
    """Seconds that the songs of a playlist may stay cached when nothing changes them."""
    import_body_limit: int = 8_388_608
    """Bytes of a playlist that is imported: 10 000 songs with all that migration tools write of them."""
