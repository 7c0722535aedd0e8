"""Documents are read in terminals and diffs as well as on pages."""

from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WIDTH = 100
DOCUMENTS = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("*.md", "docs/**/*.md", "[a-z]*/README.md", "deploy/*/*.md")
    for path in ROOT.glob(pattern)
)


def prose_of(document: str) -> Iterator[str]:
    """Its lines but for code, tables, and what has no space to break at."""
    in_code = False
    for line in (ROOT / document).read_text().splitlines():
        if line.lstrip().startswith("```"):
            in_code = not in_code
        elif not in_code and not line.startswith(("|", "    ")) and not line.lstrip().startswith(("[", "![")):
            yield line


@pytest.mark.parametrize("document", DOCUMENTS)
def test_prose_is_wrapped(document: str) -> None:
    assert [line for line in prose_of(document) if len(line) > WIDTH] == []
