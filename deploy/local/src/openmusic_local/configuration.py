"""What the user chose for the stack."""

import os
from collections.abc import Mapping

from dotenv import dotenv_values

from openmusic_local.stack import repository

DEFAULTS = {"PORT": "5000", "MAIL_PORT": "1080", "OPENMUSIC_DATA": ".openmusic"}
FOLDERS = ("OPENMUSIC_DATA", "STORAGE_FOLDER")


def from_file() -> dict[str, str]:
    """What ``.env`` sets."""
    return {name: value for name, value in dotenv_values(repository() / ".env").items() if value}


def from_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if value}


def settings() -> Mapping[str, str]:
    """The environment goes before ``.env``, and that before the defaults. Folders are relative to the repository."""
    chosen = {**DEFAULTS, **from_file(), **from_environment()}
    return {**chosen, **{name: str(repository() / chosen[name]) for name in FOLDERS if name in chosen}}
