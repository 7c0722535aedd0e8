"""Which settings there are, by the services' own settings classes, and which of them ``make up`` decides itself."""

from openmusic_auth.settings import Settings as Auth
from openmusic_catalog.settings import Settings as Catalog
from openmusic_export.settings import Settings as Export
from openmusic_export.settings import WorkerSettings as ExportWorker
from openmusic_gateway.settings import Settings as Gateway
from openmusic_kit.settings import ServiceSettings
from openmusic_media.settings import Settings as Media
from openmusic_playlist.settings import Settings as Playlist

CLASSES: dict[str, type[ServiceSettings]] = {
    "auth": Auth,
    "catalog": Catalog,
    "playlist": Playlist,
    "media": Media,
    "export": Export,
    "export-worker": ExportWorker,
    "gateway": Gateway,
}

DECIDED = frozenset(
    {
        *("SERVICE_CREDENTIAL", "SIGNING_KEY_SECRET"),
        *("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"),
        *("REDIS_SERVER", "REDIS_PORT", "REDIS_PASSWORD", "RABBITMQ_SERVER"),
        *("AUTH_URL", "CATALOG_URL", "PLAYLIST_URL", "MEDIA_URL", "EXPORT_URL"),
        *("S3_ENDPOINT", "S3_ACCESS_KEY", "S3_SECRET_KEY", "S3_BUCKET", "S3_REGION", "S3_SECURE"),
    }
)
"""Addresses and credentials of the private servers and of our processes; what the user sets of these has no effect."""

OUT_OF_REACH = {
    **dict.fromkeys(("REQUESTS_BY_ADDRESS", "REQUESTS_BY_USER", "EXPORTS_BY_USER"), "1000000000"),
    **dict.fromkeys(("LOGIN_FAILURES_BY_NAME", "LOGIN_FAILURES_BY_ADDRESS"), "1000000000"),
    "REGISTRATION_FAILURES_BY_ADDRESS": "1000000000",
}
"""Limits for a stack whose whole load comes from one address and fails on purpose: that of tests and of the bench."""


def known_to(process: str) -> frozenset[str]:
    """The settings that a process reads, as the environment spells them."""
    return frozenset(name.upper() for name in CLASSES[process].model_fields)


KNOWN = frozenset(name for process in CLASSES for name in known_to(process))
