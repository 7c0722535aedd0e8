from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from openmusic_kit.database.connections import connection_string
from openmusic_kit.database.migrations import migrate
from openmusic_kit.settings import DatabaseSettings
from openmusic_operations.errors import DatabaseAway
from openmusic_operations.outbox import waiting_in


@pytest.fixture
def settings(database_factory: Callable[[str], dict[str, Any]]) -> DatabaseSettings:
    return DatabaseSettings(**database_factory("outbox"))


def test_events_that_wait_are_counted_by_kind_the_oldest_first(settings: DatabaseSettings, tmp_path: Path) -> None:
    assert waiting_in(settings) == []
    migrate(settings, tmp_path, "outbox")
    with psycopg.connect(connection_string(settings)) as connection:
        for event_id, kind, age in (("1", "thing.moved.v1", 5), ("2", "thing.gone.v1", 90), ("3", "thing.moved.v1", 7)):
            connection.execute(
                "INSERT INTO outbox (event_id, routing_key, body, created_at) "
                "VALUES (%s, %s, '', now() - %s * interval '1s')",
                [event_id, kind, age],
            )

    found = waiting_in(settings)

    assert [(each.event, each.count) for each in found] == [("thing.gone.v1", 1), ("thing.moved.v1", 2)]


def test_a_database_that_does_not_answer_is_named_without_its_password(settings: DatabaseSettings) -> None:
    with pytest.raises(DatabaseAway) as raised:
        waiting_in(settings.model_copy(update={"pgport": 1}))

    assert settings.pgdatabase in str(raised.value)
    assert settings.pgpassword.get_secret_value() not in str(raised.value)
