"""The worked examples of CONTRIBUTING.md, carried out in a copy of the repository."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


class Copy:
    """All files of the repository, and the environment in which its packages are imported from there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in self._git("ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0"):
            if name and (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)

    def run(self, *command: str) -> str:
        """What it says. Fails the test unless it ends well."""
        sources = [str(path.parent) for path in self.folder.glob("**/src/openmusic_*") if path.is_dir()]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        done = subprocess.run(
            [str(BIN / command[0]), *command[1:]],
            cwd=self.folder,
            env={**environment, "PYTHONPATH": os.pathsep.join(sources)},
            capture_output=True,
            text=True,
            check=False,
            timeout=110,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def apply(self, patch: str) -> None:
        self._git("apply", patch, cwd=self.folder)

    @staticmethod
    def _git(*arguments: str, cwd: Path) -> str:
        return subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def test_a_new_service_is_whole_and_known_to_every_part(copy: Copy) -> None:
    copy.run("python", "templates/new_service.py", "reviews")
    copy.run("ruff", "check", "--fix", "reviews-service")
    copy.run("python", "deploy/kubernetes/manifests.py")
    copy.run("python", "contracts/openapi.py")
    copy.run("python", "contracts/collection.py")

    copy.run("ruff", "check", "reviews-service", "gateway/src")
    copy.run("ruff", "format", "--check", "reviews-service", "gateway/src")
    copy.run("mypy", "reviews-service/src")
    copy.run("lint-imports")
    architecture = ("tests/architecture/test_structure.py", "tests/architecture/test_system.py")
    assert " passed" in copy.run("pytest", "-q", "-p", "no:cacheprovider", "reviews-service/tests", *architecture)


def test_a_name_that_no_service_can_have_changes_nothing(copy: Copy) -> None:
    before = sorted(copy.folder.rglob("*"))
    for name in ("", "Reviews", "my-reviews", "r", "catalog", "gateway"):
        with pytest.raises(AssertionError, match="make new-service NAME=reviews"):
            copy.run("python", "templates/new_service.py", name)
    assert sorted(copy.folder.rglob("*")) == before


def test_a_field_of_songs_is_what_the_patch_says(copy: Copy) -> None:
    copy.apply(str(ROOT / "templates/a-field-of-songs.patch"))
    copy.run("ruff", "format", "--check", "catalog-service")
    tests = ("catalog-service/tests/test_songs.py", "tests/architecture/test_migrations.py")
    touched = "read_back or leaves_out or no_sense or test_migrations"
    assert " passed" in copy.run("pytest", "-q", "-p", "no:cacheprovider", "-k", touched, *tests)
