"""docs/guarantees.md names tests that exist, and limits that are those of the code."""

import re
from pathlib import Path
from typing import Any

import openapi
import pytest

from openmusic_auth.settings import Settings as Auth
from openmusic_gateway.pipeline.headers import MAX_HEADERS
from openmusic_gateway.settings import Settings as Gateway
from openmusic_kit.idempotency import keys, results
from openmusic_media.covers import service as covers
from openmusic_media.covers.containers import bounds
from openmusic_playlist.imports.models import MAX_ROWS

DOCUMENT = Path(__file__).parents[2] / "docs" / "guarantees.md"
TEXT = DOCUMENT.read_text()
HELD_BY = re.findall(r"\[`(test_\w+)`\]\(([^)]+)\)", TEXT)
GUARANTEES = [each for each in re.split(r"\n\n|\n(?=## )", TEXT) if each.startswith("**")]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.document()


def field(document: dict[str, Any], schema: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = document["components"]["schemas"][schema]["properties"][name]
    return found


def parameter(document: dict[str, Any], path: str, name: str) -> dict[str, Any]:
    (found,) = (each for each in document["paths"][path]["get"]["parameters"] if each["name"] == name)
    return dict(found["schema"])


def default(settings: Any, name: str) -> int:
    return int(settings.model_fields[name].default)


def rate(limit: str, window: str) -> str:
    return f"{default(Gateway, limit)} in {default(Gateway, window)} seconds"


@pytest.mark.parametrize(("name", "path"), HELD_BY, ids=[name for name, _ in HELD_BY])
def test_the_test_of_a_guarantee_is_there(name: str, path: str) -> None:
    assert re.search(rf"^(async )?def {name}\(", (DOCUMENT.parent / path).read_text(), re.MULTILINE)


@pytest.mark.parametrize("guarantee", GUARANTEES, ids=lambda guarantee: guarantee[2:40])
def test_each_guarantee_names_its_test(guarantee: str) -> None:
    assert re.search(r"Held\s+by\s+\[`test_\w+`\]", guarantee)


def test_the_limits_are_those_of_the_code(document: dict[str, Any]) -> None:
    texts = [("AlbumPayload", "name"), ("SongPayload", "title"), ("SongPayload", "genre"), ("SongPayload", "performer")]
    texts += [("DetailsPayload", "description"), ("Registration", "fullname"), ("PlaylistPayload", "name")]
    (text_length,) = {field(document, *each)["maxLength"] for each in texts}
    password, year = field(document, "Registration", "password"), field(document, "SongPayload", "year")
    (page,) = {parameter(document, path, "limit")["maximum"] for path in ("/songs", "/albums", "/playlists")}
    expected = {
        "body of a request": f"{default(Gateway, 'body_limit')} bytes",
        "file of an import": f"{default(Gateway, 'import_body_limit')} bytes",
        "songs in the file of an import": f"{MAX_ROWS} songs",
        "all headers of a request": f"{default(Gateway, 'header_limit')} bytes",
        "number of headers": f"{MAX_HEADERS}",
        "time until a service responds": f"{default(Gateway, 'upstream_timeout')} seconds",
        "name, title, genre, performer, description, fullname": f"{text_length} characters",
        "username": f"{field(document, 'Registration', 'username')['maxLength']} characters",
        "password": f"{password['minLength']} to {password['maxLength']} characters",
        "years and durations": f"{year['minimum']} to {year['maximum']}",
        "songs in a batch": f"{field(document, 'SongsPayload', 'songIds')['maxItems']} songs",
        "items on a page": f"{page} items",
        "results of a search, of each kind": f"{parameter(document, '/search', 'limit')['maximum']} results",
        "image of a cover": f"{covers.MAX_BYTES} bytes",
        "pixels of one frame": f"{bounds.MAX_PIXELS} pixels",
        "pixels of all frames": f"{bounds.MAX_TOTAL_PIXELS} pixels",
        "frames": f"{bounds.MAX_FRAMES} frames",
        "`Idempotency-Key`": f"{keys.MAX_LENGTH} characters",
        "how long a key is kept": f"{results.RETENTION} seconds",
        "age of an access token": f"{default(Auth, 'access_token_age')} seconds",
        "age of a refresh token": f"{default(Auth, 'refresh_token_age')} seconds",
        "requests of one address": rate("requests_by_address", "requests_window"),
        "requests of one user": rate("requests_by_user", "requests_window"),
        "failed logins of one username": rate("login_failures_by_name", "failures_window"),
        "failed logins of one address": rate("login_failures_by_address", "failures_window"),
        "failed registrations of one address": rate("registration_failures_by_address", "failures_window"),
        "exports of one user": rate("exports_by_user", "exports_window"),
    }

    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| [^|]*\|$", TEXT.partition("## Limits")[2], re.MULTILINE)
    assert dict(rows[1:]) == expected
