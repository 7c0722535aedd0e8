"""An S3 server: JuiceFS's gateway over a local folder, which checks signatures as the real thing does."""

import os
import subprocess
import sys
from pathlib import Path

from openmusic_local.errors import LocalError
from openmusic_local.program import Program, answers

ACCESS_KEY = "openmusic"
_BINARY = Path(sys.executable).parent / "juicefs"


def prepare(folder: Path, port: int, secret_key: str) -> Program:
    metadata = f"sqlite3://{folder / 'meta.db'}"
    where = ["--bucket", f"{folder / 'blob'}/", "--trash-days", "0"]
    if (folder / "meta.db").exists():
        _juicefs(folder, "config", metadata, *where, "--yes")  # the folder may have moved
    else:
        _juicefs(folder, "format", "--storage", "file", *where, metadata, "openmusic")
    options = ["--multi-buckets", "--keep-etag", "--object-meta", "--no-usage-report", "--no-banner"]
    options += ["--backup-meta", "0", "--cache-dir", str(folder / "cache")]
    options += ["--metrics", "127.0.0.1:0"]  # its default port is the same for every copy on this machine
    return Program(
        "objectstore",
        [str(_BINARY), "--no-agent", "gateway", *options, metadata, f"127.0.0.1:{port}"],
        folder,
        answers(f"http://127.0.0.1:{port}/minio/health/live"),
        {"MINIO_ROOT_USER": ACCESS_KEY, "MINIO_ROOT_PASSWORD": secret_key, "HOME": str(folder)},
    )


def _juicefs(folder: Path, *command: str) -> None:
    done = subprocess.run(
        [_BINARY, *command],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "HOME": str(folder)},
    )
    if done.returncode:
        raise LocalError(f"The S3 server could not be prepared:\n{done.stderr}")
