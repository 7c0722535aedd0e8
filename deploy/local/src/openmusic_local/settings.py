"""Which settings there are, by the services' own settings classes, and which of them ``make up`` manages."""

import importlib

from openmusic_kit.settings import ServiceSettings
from openmusic_operations.system import PROCESSES, SERVICES, Process


def settings_class(process: Process) -> type[ServiceSettings]:
    """``Settings`` of the service's package; another command than ``serve`` has its own, such as ``WorkerSettings``."""
    name = "Settings" if process.serves else f"{process.command.title()}Settings"
    found: type[ServiceSettings] = getattr(importlib.import_module(f"{process.package}.settings"), name)
    return found


CLASSES = {process.name: settings_class(process) for process in PROCESSES.values()}

MANAGED = frozenset(
    {
        *("SERVICE_CREDENTIAL", *(name for process in PROCESSES.values() for name in process.own_secrets)),
        *("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"),
        *("REDIS_SERVER", "REDIS_PORT", "REDIS_PASSWORD", "RABBITMQ_SERVER"),
        *(f"{service.upper()}_URL" for service in SERVICES),
        *("S3_ENDPOINT", "S3_ACCESS_KEY", "S3_SECRET_KEY", "S3_BUCKET", "S3_REGION", "S3_SECURE"),
    }
)
"""Addresses and credentials of the private servers and of our processes; what the user sets of these has no effect."""

UNLIMITED = {
    **dict.fromkeys(("REQUESTS_BY_ADDRESS", "REQUESTS_BY_USER", "EXPORTS_BY_USER"), "1000000000"),
    **dict.fromkeys(("LOGIN_FAILURES_BY_NAME", "LOGIN_FAILURES_BY_ADDRESS"), "1000000000"),
    "REGISTRATION_FAILURES_BY_ADDRESS": "1000000000",
}
"""Limits for a stack whose whole load comes from one address and fails on purpose: that of tests and of the bench."""


def known_to(process: str) -> frozenset[str]:
    """The settings that a process reads, as the environment spells them."""
    return frozenset(name.upper() for name in CLASSES[process].model_fields)


KNOWN = frozenset(name for process in CLASSES for name in known_to(process))
