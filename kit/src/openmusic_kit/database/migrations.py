"""Schema migrations: plain SQL files applied in order by yoyo, each in a transaction of its own.

That it was applied is noted in the same transaction, so one that fails, or whose process is killed, was never begun.
Any number of copies may call :func:`migrate` at once: an advisory lock lets one work while the others wait and
then find nothing left to do. Unlike yoyo's own lock row, it goes away with the process that holds it.
"""

import logging
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlencode

import psycopg

from openmusic_kit.database.connections import KEEPALIVES, SERVER_OPTIONS, parameters, server_options
from openmusic_kit.settings import DatabaseSettings

logger = logging.getLogger(__name__)

_LOCK = 0x0E7D_0A11  # any number, the same for every copy
_SHARED = Path(__file__).parent / "migrations_sql"
LOCK_WAIT = 5  # seconds that a migration may wait for a table before it gives up rather than block everyone


Shared = Literal["outbox", "inbox", "cache", "deleted-users", "idempotency", "folding"]


def migrate(settings: DatabaseSettings, folder: Path, *shared: Shared) -> int:
    """Applies what is missing, with the kit's own tables that are ``shared``. Returns how many migrations that were."""
    from yoyo import get_backend, read_migrations  # noqa: PLC0415 - three megabytes that serving has no use for

    migrations = read_migrations(*(str(_SHARED / name) for name in shared), str(folder))
    with psycopg.connect(autocommit=True, options=server_options(SERVER_OPTIONS), **parameters(settings)) as guard:
        guard.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        backend = get_backend(_yoyo_uri(settings))
        try:
            pending = backend.to_apply(migrations)
            for migration in pending:
                _apply(backend, migration)
        finally:
            backend.connection.close()
    logger.info("schema is up to date", extra={"database": settings.pgdatabase, "applied": len(pending)})
    return len(pending)


def _apply(backend: Any, migration: Any) -> None:
    """yoyo's own way commits a migration before it notes it: killed in between, it could never be applied again."""
    with backend.transaction():
        migration.process_steps(backend, "apply")
        backend.mark_one(migration)


def _yoyo_uri(settings: DatabaseSettings) -> str:
    user, password = quote(settings.pguser), quote(settings.pgpassword.get_secret_value(), safe="")
    guards = server_options({"lock_timeout": f"{LOCK_WAIT}s"} | SERVER_OPTIONS)
    options = urlencode({"options": guards} | KEEPALIVES, quote_via=quote)
    return f"postgresql+psycopg://{user}:{password}@{settings.pghost}:{settings.pgport}/{settings.pgdatabase}?{options}"
