"""What `deploy/containers/restore` asks of the engine, which a program that notes it stands for here."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from openmusic_operations.system import PROCESSES

CONTAINERS = Path(__file__).parents[2] / "deploy" / "containers"
LIBRARY = CONTAINERS / "backup_files.sh"
DOCKER = """#!/bin/sh
project=${COMPOSE_PROJECT_NAME:-music}
echo "$project: $*" >>"$CALLS"
case "$*" in
  "compose config") echo "name: $project" ;;
  "volume ls "*"=$project") case " $WITH_DATA " in *" $project "*) echo "${project}_secrets" ;; esac ;;
  *"$FAILING"*) [ -z "$FAILING" ] || exit 1 ;;
esac
"""


@dataclass
class Engine:
    backup: Path
    binaries: Path
    calls: Path

    def restore(self, *options: str, with_data: str = "", failing: str = "") -> subprocess.CompletedProcess[str]:
        """``failing``: part of the calls that end with an error."""
        path = f"{self.binaries}{os.pathsep}{os.environ['PATH']}"
        environment = {"PATH": path, "CALLS": str(self.calls), "WITH_DATA": with_data, "FAILING": failing}
        command = [str(CONTAINERS / "restore"), str(self.backup), *options]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    @property
    def changes(self) -> list[str]:
        """The calls that change something, each after the name of its project."""
        calls = self.calls.read_text().splitlines() if self.calls.exists() else []
        return [call for call in calls if not call.endswith("compose config") and "volume ls" not in call]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    found = Engine(tmp_path / "backup", tmp_path / "bin", tmp_path / "calls")
    found.backup.mkdir()
    found.binaries.mkdir()
    (found.binaries / "docker").write_text(DOCKER)
    (found.binaries / "docker").chmod(0o755)
    script = f"""
        . {LIBRARY}
        cd "$0"
        for file in $FILES; do echo "this is $file" >$file; done
        (echo "$FORMAT"; echo "made today"; echo "version 1"; for file in $FILES; do describe . $file; done) >MANIFEST
    """
    subprocess.run(["sh", "-eu", "-c", script, found.backup], check=True)
    return found


def test_a_restore_brings_secrets_databases_and_covers_where_there_is_no_data(engine: Engine) -> None:
    done = engine.restore()

    assert done.returncode == 0, done.stderr
    assert "music: compose run --rm --no-deps -T bootstrap restore" in engine.changes
    databases = {process.database for process in PROCESSES.values() if process.has_database}
    for needed, number in (("pg_restore", len(databases)), ("covers import", 2), ("down", 0)):
        assert sum(needed in call for call in engine.changes) == number, needed


def test_a_restore_over_data_is_refused_and_changes_nothing(engine: Engine) -> None:
    done = engine.restore(with_data="music")

    assert done.returncode == 1
    assert "music has data, and nothing was changed" in done.stderr
    assert engine.changes == []


@pytest.mark.parametrize("options", [(), ("--replace-everything",)])
def test_a_damaged_backup_changes_nothing(engine: Engine, options: tuple[str, ...]) -> None:
    (engine.backup / "auth.dump").write_text("damaged")

    assert engine.restore(*options, with_data="music" if options else "").returncode == 1
    assert engine.changes == []


def test_a_restore_that_fails_removes_what_it_made(engine: Engine) -> None:
    assert engine.restore(failing="covers import").returncode == 1
    assert engine.changes[-1] == "music: compose down --volumes"


def test_all_is_replaced_only_after_the_backup_was_restored_elsewhere(engine: Engine) -> None:
    done = engine.restore("--replace-everything", with_data="music")

    assert done.returncode == 0, done.stderr
    projects = [call.partition(":")[0] for call in engine.changes]
    removed = engine.changes.index("music: compose down --volumes")
    assert set(projects[:removed]) == {"music-trial"}
    assert engine.changes[removed - 1] == "music-trial: compose down --volumes"
    assert set(projects[removed:]) == {"music"}
    assert engine.changes[removed + 1 :] == [
        call.replace("music-trial", "music", 1) for call in engine.changes[: removed - 1]
    ]


def test_nothing_is_replaced_by_a_backup_that_cannot_be_restored(engine: Engine) -> None:
    done = engine.restore("--replace-everything", with_data="music", failing="pg_restore")

    assert done.returncode == 1
    assert "nothing of music was changed" in done.stderr
    assert {call.partition(":")[0] for call in engine.changes} == {"music-trial"}
    assert engine.changes[-1] == "music-trial: compose down --volumes"


def test_an_option_that_is_not_known_changes_nothing(engine: Engine) -> None:
    assert engine.restore("--replace-evrything").returncode == 2
    assert engine.changes == []
