"""This machine: room on its disks."""

import shutil
from pathlib import Path

from openmusic_operations.doctor.findings import Finding, ok, problem, warning
from openmusic_operations.processes import Configured

LITTLE, VERY_LITTLE = 0.10, 0.03  # of the disk


def examine(processes: list[Configured]) -> list[Finding]:
    """Of the working directory, and of the folder of the covers where they are kept in one."""
    folders = {Path.cwd(), *(found for each in processes if (found := _folder_of(each)))}
    return [_room(folder) for folder in sorted(folders)]


def _folder_of(each: Configured) -> Path | None:
    folder: Path | None = getattr(each.settings, "storage_folder", None)
    while folder is not None and not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _room(folder: Path) -> Finding:
    usage = shutil.disk_usage(folder)
    free, finding = usage.free / usage.total, f"{usage.free / 2**30:.1f} GB are free ({usage.free / usage.total:.0%})"
    remedy = "Make room: PostgreSQL and RabbitMQ stop taking changes on a full disk."
    if free < VERY_LITTLE:
        return problem(f"disk of {folder}", finding, remedy)
    return warning(f"disk of {folder}", finding, remedy) if free < LITTLE else ok(f"disk of {folder}", finding)
