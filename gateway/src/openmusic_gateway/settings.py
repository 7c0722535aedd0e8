from pydantic import Field, field_validator

from openmusic_gateway.limits.clients import networks
from openmusic_gateway.pipeline.cors import origins
from openmusic_kit.settings import CacheSettings, IdentitySettings, ServiceSettings


class Settings(CacheSettings, IdentitySettings, ServiceSettings):
    """Each ``*_url`` may be a comma-separated list; a DNS name stands for all of its addresses."""

    port: int = 5000
    workers: int = Field(1, ge=1)
    """Processes that share the port, each on a core of its own; a parent process replaces those that die."""
    catalog_url: str = "http://127.0.0.1:5102"
    playlist_url: str = "http://127.0.0.1:5103"
    media_url: str = "http://127.0.0.1:5104"
    export_url: str = "http://127.0.0.1:5105"
    cover_body_limit: int = 512_000 + 65_536
    """Bytes of a cover upload: the image and its multipart form."""
    import_body_limit: int = 8_388_608
    """Bytes of a playlist that is imported."""
    connect_timeout: float = 1.0
    """Seconds to connect to a service."""
    upstream_timeout: float = 12.0
    """Seconds until a service starts to respond, all attempts together, and between two chunks of its response."""
    edge_cache_bytes: int = 33_554_432
    """Bytes of responses that this process keeps; 0 turns the edge cache off."""
    cors_origins: str = ""
    """Comma-separated origins whose web pages may read responses; ``*`` allows all, an empty value none."""
    hsts_age: int = Field(0, ge=0)
    """Seconds that browsers use only https, for installations behind a proxy that terminates TLS; 0 sends no header."""
    trusted_proxies: str = ""
    """Comma-separated addresses and networks of proxies whose ``X-Forwarded-For`` is trusted."""
    proxy_protocol: bool = False
    """Whether connections may begin with a PROXY protocol line. Only where nobody but a proxy can connect."""
    requests_by_address: int = Field(20_000, ge=0)
    """Requests to services from one address in ``requests_window`` seconds; here and below, 0 means no limit."""
    requests_by_user: int = Field(8_000, ge=0)
    """Likewise, from one user with an access token."""
    requests_window: int = Field(10, gt=0)
    login_failures_by_name: int = Field(20, ge=0)
    """Failed logins for one user name in ``failures_window`` seconds; after that, all logins for it are refused.
    Likewise wrong passwords of one user who wants to change it."""
    login_failures_by_address: int = Field(100, ge=0)
    """Likewise, from one address; successful logins do not count."""
    registration_failures_by_address: int = Field(200, ge=0)
    """Failed registrations from one address, e.g. for names that are taken."""
    failures_window: int = Field(300, gt=0)
    exports_by_user: int = Field(30, ge=0)
    """Accepted exports in ``exports_window`` seconds; each sends a mail to an address of the user's choice."""
    exports_window: int = Field(300, gt=0)
    limit_wait: float = Field(0.05, gt=0)
    """Seconds that a request waits for the counts in Redis; after that, this process counts alone."""

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
