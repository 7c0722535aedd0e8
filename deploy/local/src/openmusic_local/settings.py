"""Which settings there are, by the services' own settings classes, and which of them ``make up`` manages."""

from collections.abc import Iterable, Mapping

from pydantic import ValidationError

from openmusic_kit.settings import problems
from openmusic_local.errors import LocalError
from openmusic_operations.processes import nearest, settings_class
from openmusic_operations.system import PROCESSES, SERVICES, WITH_DATABASE

CLASSES = {process.name: settings_class(process) for process in PROCESSES.values()}

MANAGED = frozenset(
    {
        *("SERVICE_CREDENTIAL", *(name for process in PROCESSES.values() for name in process.own_secrets)),
        *("METRICS_HOST", "METRICS_PORT"),
        *("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"),
        *("REDIS_SERVER", "REDIS_PORT", "REDIS_PASSWORD", "REDIS_TLS", "RABBITMQ_SERVER"),
        *(f"{service.upper()}_URL" for service in SERVICES),
        *("S3_ENDPOINT", "S3_ACCESS_KEY", "S3_SECRET_KEY", "S3_BUCKET", "S3_REGION", "S3_SECURE"),
        "S3_PUBLIC_ENDPOINT",
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

NAMES = KNOWN | {
    *("OPENMUSIC_DATA", "MAIL_PAGE_HOST", "MAIL_PORT"),  # of `make up`
    *("POSTGRES_PASSWORD", "RABBITMQ_PASSWORD", "REVISION"),  # of compose.yaml
    *(f"{service.upper()}_PGPASSWORD" for service in WITH_DATABASE),
}
"""All that a file ``.env`` may set."""


def check_names(names: Iterable[str]) -> list[str]:
    """The names that are no settings. Raises LocalError if one of them looks like a misspelled setting."""
    unknown = sorted(set(names) - NAMES)
    misspelled = {name: found for name in unknown if (found := nearest(name, NAMES))}
    if misspelled:
        raise LocalError("; ".join(f"{name} is no setting: is it {known}?" for name, known in misspelled.items()))
    return unknown


def check_values(environments: Mapping[str, Mapping[str, str]]) -> None:
    """Takes the settings of each process. Raises LocalError that names the wrong ones, but not their values."""
    wrong: dict[str, None] = {}
    for process, environment in environments.items():
        given = {name.lower(): value for name, value in environment.items()}
        try:
            # The prefix hides what our own environment holds, which the process is not given.
            CLASSES[process](_env_file=None, _env_prefix="hidden ", **given)  # type: ignore[arg-type]  # each setting parses its text
        except ValidationError as error:
            wrong |= dict.fromkeys(problems(error))
    if wrong:
        raise LocalError(f"the settings are not usable: {'; '.join(wrong)}")
