from pydantic import Field, field_validator

from openmusic_gateway.cors import origins
from openmusic_gateway.limits.clients import networks
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
    upstream_timeout: float = 12.0
    """Seconds until a service begins to answer, however often it is tried, and between two pieces of its answer."""
    edge_cache_bytes: int = 33_554_432
    """Bytes of answers that this process keeps; 0 turns the edge cache off."""
    cors_origins: str = ""
    """Origins, comma-separated, whose web pages may read answers; ``*`` stands for all, nothing for none."""
    hsts_age: int = Field(0, ge=0)
    """Seconds that browsers shall use https only; for installations behind a proxy that ends TLS. 0 says nothing."""
    trusted_proxies: str = ""
    """Addresses and networks, comma-separated, of the proxies whose ``X-Forwarded-For`` tells who the client is."""
    proxy_protocol: bool = False
    """Whether connections begin with a line that says whose they are. Only where nobody but a proxy can connect."""
    requests_by_address: int = Field(20_000, ge=0)
    """Requests that reach a service, of one address in ``requests_window`` seconds; 0 is no limit, here and below."""
    requests_by_user: int = Field(8_000, ge=0)
    """Likewise, of one user whose token was given."""
    requests_window: int = Field(10, gt=0)
    login_failures_by_name: int = Field(20, ge=0)
    """Logins that failed for one user name in ``failures_window`` seconds; then there is none for that name."""
    login_failures_by_address: int = Field(100, ge=0)
    """Likewise, from one address; logins that succeed are not counted."""
    registration_failures_by_address: int = Field(200, ge=0)
    """Registrations that were refused, taken names for example."""
    failures_window: int = Field(300, gt=0)
    exports_by_user: int = Field(30, ge=0)
    """Exports that were accepted in ``exports_window`` seconds: each sends a mail to whoever was named."""
    exports_window: int = Field(300, gt=0)
    limit_wait: float = Field(0.05, gt=0)
    """Seconds that a request waits for Redis to tell what other gateways counted; after that this one counts alone."""

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, setting: str) -> str:
        origins(setting)
        return setting

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, setting: str) -> str:
        networks(setting)
        return setting
