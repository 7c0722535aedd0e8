"""Clients rely on the codes of problems: docs/errors.md lists each one, so none changes unnoticed."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

from openmusic_kit.errors import ServiceError
from openmusic_kit.web.failures import CODES
from openmusic_kit.web.openapi import status_of
from openmusic_operations.system import SERVICES

DOCUMENT = Path(__file__).parents[2] / "docs" / "errors.md"
FOR_OPERATORS = {
    "archive_damaged",
    "catalogue_empty",
    "export_busy",
    "export_in_doubt",
    "export_settled",
    "file_unusable",
    "no_cover_in_use",
    "user_changed",
}
"""Of commands, not of requests."""


def subclasses(kind: type[ServiceError]) -> Iterator[type[ServiceError]]:
    for each in kind.__subclasses__():
        yield each
        yield from subclasses(each)


def import_all(package: str) -> None:
    """Its modules, so that the outcome does not depend on what other tests have imported."""
    folders = importlib.import_module(package).__path__
    for module in pkgutil.walk_packages(folders, f"{package}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def test_the_document_lists_each_code_with_its_status() -> None:
    for service in SERVICES:
        import_all(f"openmusic_{service}")
    raised = {
        (each.code, status_of(each))
        for each in subclasses(ServiceError)
        if each.__module__.startswith(("openmusic_kit", *(f"openmusic_{service}" for service in SERVICES)))
    }
    listed = re.findall(r"^\| `([a-z_]+)` \| (\d+) \|", DOCUMENT.read_text(), re.MULTILINE)

    expected = {(code, status) for code, status in raised if code not in FOR_OPERATORS}
    expected |= {(code, status) for status, code in CODES.items()}
    assert {(code, int(status)) for code, status in listed} == expected
    assert len(listed) == len(expected)
