"""Secrets of this installation: made once, kept in a file that only its owner can read."""

import json
import secrets
from pathlib import Path


class Secrets:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}

    def __getitem__(self, name: str) -> str:
        if name not in self._known:
            self._known[name] = secrets.token_hex(24)
            self._path.touch(mode=0o600)
            self._path.write_text(json.dumps(self._known, indent=2))
        return self._known[name]
