"""With ENVIRONMENT=production no process starts with a secret that everybody knows."""

import os
import subprocess
from collections.abc import Iterator

import pytest
from pydantic import SecretStr, ValidationError

from openmusic_kit.settings import DEFAULT_SECRETS
from openmusic_local.processes import command
from openmusic_local.settings import CLASSES, KNOWN
from openmusic_operations.system import PROCESSES

OWN = "amqp://openmusic:of-its-own@rabbitmq/"  # good for any secret, that of the broker too


def secrets_with_a_default(process: str) -> set[str]:
    fields = CLASSES[process].model_fields
    return {name for name, field in fields.items() if isinstance(field.default, SecretStr)}


def each_default() -> Iterator[tuple[str, str]]:
    for process in CLASSES:
        for name in sorted(secrets_with_a_default(process)):
            yield process, name


KNOBS = {"password_memory", "password_rounds"}


def test_every_process_is_looked_at_and_every_secret_is_known() -> None:
    assert set(CLASSES) == set(PROCESSES)
    for name, process in PROCESSES.items():
        with_default = {secret.lower() for secret in process.secrets} - {"redis_password"}  # Redis may have none
        assert secrets_with_a_default(name) == with_default, name


@pytest.mark.parametrize("process", CLASSES)
def test_what_is_secret_is_typed_as_a_secret(process: str) -> None:
    """So that no log and no error shows it by accident, and the check below sees it."""
    for name, field in CLASSES[process].model_fields.items():
        if any(word in name for word in ("secret", "credential", "password", "rabbitmq")) and name not in KNOBS:
            assert "SecretStr" in str(field.annotation), name


@pytest.mark.parametrize(("process", "name"), list(each_default()))
def test_a_default_secret_is_refused_in_production(process: str, name: str) -> None:
    others = dict.fromkeys(secrets_with_a_default(process) - {name}, OWN)
    with pytest.raises(ValidationError, match=f"{name.upper()} must be set"):
        CLASSES[process](_env_file=None, environment="production", **others)  # type: ignore[call-arg]  # a mixin's
    for known in DEFAULT_SECRETS:
        given = {**others, name: f"amqp://{known}rabbitmq/"}
        with pytest.raises(ValidationError, match=f"{name.upper()} must be set"):
            CLASSES[process](_env_file=None, environment="production", **given)  # type: ignore[call-arg]  # likewise
    CLASSES[process](_env_file=None, environment="production", **others, **{name: OWN})  # type: ignore[call-arg]  # likewise


@pytest.mark.parametrize("process", CLASSES)
def test_the_process_itself_ends_and_names_the_setting_without_its_value(process: str) -> None:
    inherited = {name: value for name, value in os.environ.items() if name not in KNOWN}
    given = {name.upper(): OWN for name in secrets_with_a_default(process) - {"service_credential"}}
    done = subprocess.run(
        command(process),
        env={**inherited, **given, "ENVIRONMENT": "production", "SERVICE_CREDENTIAL": "development-only"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd="/",
    )
    assert done.returncode == 1
    assert "SERVICE_CREDENTIAL must be set when ENVIRONMENT=production" in done.stderr
    assert "development-only" not in done.stderr + done.stdout
    assert "of-its-own" not in done.stderr + done.stdout
