from openmusic_kit.settings import CacheSettings, IdentitySettings, ServiceSettings


class Settings(CacheSettings, IdentitySettings, ServiceSettings):
    """Each ``*_url`` may be a comma-separated list; a DNS name that has several addresses stands for all of them."""

    port: int = 5000
    catalog_url: str = "http://127.0.0.1:5102"
    playlist_url: str = "http://127.0.0.1:5103"
    media_url: str = "http://127.0.0.1:5104"
    export_url: str = "http://127.0.0.1:5105"
    cover_body_limit: int = 512_000 + 65_536
    """Bytes of a cover upload: the image, and what a multipart form puts around it."""
    connect_timeout: float = 1.0
    """Seconds to reach a service."""
    body_timeout: float = 30.0
    """Seconds between two pieces of a request body; a client that is slower gets 408."""
    upstream_timeout: float = 15.0
    """Seconds until a service begins to answer, and between two pieces of its answer."""
    edge_cache_bytes: int = 33_554_432
    """Bytes of answers that this process keeps; 0 turns the edge cache off."""
