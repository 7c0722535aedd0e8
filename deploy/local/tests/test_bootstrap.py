"""The script that installs what is missing, where it may not install anything."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from openmusic_local.stack import repository

TOOLS = ("sh", "dirname", "id", "tr", "ls", "cat", "sha256sum", "epmd")
NOBODY = ("--reuid=65534", "--regid=65534", "--clear-groups")
READING = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")  # Python may lie below root's home

pytestmark = pytest.mark.skipif(
    os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root needs setpriv to act as another user"
)


@pytest.fixture
def checkout() -> Iterator[Path]:
    """The script in a folder that anybody may read, beside the only programs that it can find."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "deploy" / "local").mkdir(parents=True)
        shutil.copy(repository() / "deploy" / "local" / "bootstrap", folder / "deploy" / "local")
        programs = folder / "bin"
        programs.mkdir()
        for name in TOOLS:
            found = shutil.which(name)
            assert found, name
            (programs / name).symlink_to(found)
        (programs / "python3").symlink_to(Path(sys.executable).resolve())
        (programs / "apt-get").write_text("#!/bin/sh\necho apt-get was called\n")
        for path in (folder, *folder.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755)
        yield folder


def run(checkout: Path) -> subprocess.CompletedProcess[str]:
    user = [shutil.which("setpriv"), *NOBODY, *READING] if os.geteuid() == 0 else []
    return subprocess.run(
        [*user, "/bin/sh", str(checkout / "deploy" / "local" / "bootstrap")],
        env={"PATH": str(checkout / "bin")},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_the_right_to_install_it_names_exactly_what_is_missing_and_changes_nothing(checkout: Path) -> None:
    before = sorted(checkout.rglob("*"))
    done = run(checkout)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "These packages are missing, and installing them needs root. Please run:",
        "  sudo apt-get install redis-server",
    ]
    assert done.stderr == ""
    assert sorted(checkout.rglob("*")) == before


def test_without_apt_get_it_names_exactly_what_is_missing(checkout: Path) -> None:
    (checkout / "bin" / "apt-get").unlink()
    done = run(checkout)
    assert done.returncode == 1
    assert done.stdout == "Please install with your package manager: redis-server\n"
