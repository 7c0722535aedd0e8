"""Prints what the given pyproject files depend on, without our own packages: one requirement a line."""

import sys
import tomllib
from pathlib import Path

for name in sys.argv[1:]:
    for requirement in tomllib.loads(Path(name).read_text())["project"]["dependencies"]:
        if not requirement.startswith("openmusic-"):
            print(requirement)
