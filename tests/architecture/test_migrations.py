"""Migrations only add, so that two versions of a service can run side by side during an upgrade."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from openmusic_operations.system import WITH_DATABASE

ROOT = Path(__file__).parents[2]
FOLDERS = [*ROOT.glob("*-service/src/*/migrations"), *ROOT.glob("kit/src/openmusic_kit/database/migrations_sql/*")]
FILES = [sorted(folder.glob("*.sql")) for folder in sorted(FOLDERS)]
LATER = [path for files in FILES for path in files[1:]]  # the first of each makes a schema that nobody uses yet

ADDITIVE = re.compile(
    r"CREATE TABLE \w+ \(|CREATE INDEX \w+ ON \w+ |CREATE EXTENSION IF NOT EXISTS \w+$|CREATE FUNCTION \w+\("
    r"|COMMENT ON |ALTER TABLE \w+ ",
    re.IGNORECASE,
)
ADDED_COLUMN = re.compile(
    r"ADD COLUMN \w+ \w+( COLLATE \"C\")?( GENERATED ALWAYS AS STORED| DEFAULT \S+)?"
    r"( NOT NULL DEFAULT \S+| NOT NULL)?$",
    re.IGNORECASE,
)
TUNED_COLUMN = re.compile(r"ALTER COLUMN \w+ SET STATISTICS \d+$", re.IGNORECASE)
REPLACED_INDEXES = (
    *("songs_by_title_trigrams", "songs_by_performer_trigrams"),  # by migration 4 of the catalogue (ADR 63)
    *("songs_by_folded_title_trigrams", "songs_by_folded_performer_trigrams"),  # these and the rest by 10 (ADR 97)
    *("songs_by_title_short_grams", "songs_by_performer_short_grams", "albums_by_name_trigrams"),
)
"""May be dropped: statements of older versions that use them still work, by reading the table."""
DROPPED_INDEX = re.compile(rf"DROP INDEX IF EXISTS ({'|'.join(REPLACED_INDEXES)})$")
DIRECTIVE = re.compile(r"^\s*--\s*(transactional|depends)\s*:", re.IGNORECASE | re.MULTILINE)


def objections(text: str) -> Iterator[str]:
    """What old code may not survive, and what would not be one transaction."""
    if DIRECTIVE.search(text):
        yield "a directive of yoyo"
    for statement in re.sub(r"--[^\n]*", "", text).split(";"):
        flat = " ".join(statement.split())
        if flat and not ADDITIVE.match(flat) and not DROPPED_INDEX.match(flat):
            yield flat
        if flat.upper().startswith("ALTER TABLE"):
            yield from filter(_may_disturb, _actions(flat))


def _actions(alteration: str) -> list[str]:
    """What is done to the table, without what stands in parentheses."""
    found = 1
    while found:
        alteration, found = re.subn(r"\s*\([^()]*\)", "", alteration)
    return [action.strip() for action in alteration.split(" ", 3)[3].split(",")]


def _may_disturb(action: str) -> bool:
    column = ADDED_COLUMN.match(action)
    if column is None:
        return TUNED_COLUMN.match(action) is None
    return "NOT NULL" in action.upper() and "DEFAULT" not in action.upper()  # old code cannot fill it


def test_every_service_with_a_database_is_looked_at() -> None:
    assert {files[0].name.rsplit("-")[0] for files in FILES} == {*WITH_DATABASE, "kit"}
    assert {folder.name for folder in FOLDERS} == {
        "migrations",
        "outbox",
        "inbox",
        "cache",
        "deleted-users",
        "idempotency",
        "folding",
    }
    assert LATER


@pytest.mark.parametrize("path", LATER, ids=lambda path: path.name)
def test_what_comes_after_the_first_migration_only_adds(path: Path) -> None:
    assert not list(objections(path.read_text()))


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE things (id text PRIMARY KEY, other text NOT NULL REFERENCES others (id));",
        "CREATE INDEX things_by_age ON things (age);",
        "ALTER TABLE things ADD COLUMN more text;",
        "ALTER TABLE things ADD COLUMN more integer NOT NULL DEFAULT 0; -- of what there is\n",
        "ALTER TABLE things\n  ADD COLUMN more integer DEFAULT 0 NOT NULL;",
        "ALTER TABLE things ADD COLUMN plain text GENERATED ALWAYS AS (lower(trim(name), 1)) STORED, ADD COLUMN a int;",
        'ALTER TABLE things ADD COLUMN key text COLLATE "C" GENERATED ALWAYS AS (fold(name)) STORED;',
        "ALTER TABLE things ALTER COLUMN name SET STATISTICS 1000;",
        "CREATE FUNCTION plain(text) RETURNS text LANGUAGE sql AS $$ SELECT lower($1) $$;",
    ],
)
def test_what_adds_is_let_through(text: str) -> None:
    assert not list(objections(text))


@pytest.mark.parametrize(
    "text",
    [
        "DROP TABLE things;",
        "DROP INDEX things_by_age;",
        "DROP INDEX IF EXISTS things_by_age;",
        "DROP INDEX IF EXISTS songs_by_title_trigrams CASCADE;",
        "CREATE UNIQUE INDEX one_of_each ON things (name);",
        "CREATE INDEX CONCURRENTLY things_by_age ON things (age);",
        "ALTER TABLE things DROP COLUMN more;",
        "ALTER TABLE things RENAME TO stuff;",
        "ALTER TABLE things RENAME COLUMN more TO less;",
        "ALTER TABLE things ALTER COLUMN more TYPE bigint;",
        "ALTER TABLE things ALTER COLUMN more SET NOT NULL;",
        "ALTER TABLE things ADD COLUMN more text NOT NULL;",
        "ALTER TABLE things ADD COLUMN more text UNIQUE;",
        "ALTER TABLE things ADD COLUMN more text REFERENCES others (id);",
        "ALTER TABLE things ADD COLUMN more text, DROP COLUMN less;",
        "ALTER TABLE things ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY;",
        "ALTER TABLE things ALTER COLUMN name SET STORAGE EXTERNAL;",
        "ALTER TABLE things ADD CONSTRAINT named CHECK (name <> '');",
        "CREATE TABLE more (id text);\nalter table things drop column more;",
        "UPDATE things SET name = '';",
        "DELETE FROM things;",
        "TRUNCATE things;",
        "-- transactional: false\nCREATE INDEX things_by_age ON things (age);",
    ],
)
def test_what_old_code_may_not_survive_is_refused(text: str) -> None:
    assert list(objections(text))


def test_texts_are_folded_in_the_same_way_everywhere() -> None:
    """The catalogue made its functions before the kit had them, and what was applied is never changed."""
    shared, older = (
        re.findall(r"CREATE FUNCTION (?:fold|containing)\(.*?\$\$;", (ROOT / path).read_text(), re.DOTALL)
        for path in (
            "kit/src/openmusic_kit/database/migrations_sql/folding/kit-0001-folding.sql",
            "catalog-service/src/openmusic_catalog/migrations/catalog-0009-fold-accents.sql",
        )
    )
    assert len(shared) == 2
    assert shared == older
