"""A browser, which shares no code with the product's decoder, shows of a cover what it shows of the upload."""

import asyncio
import shutil
from collections.abc import Callable

import pytest
from browser import Shown, show
from encoders import HIDDEN, pictures

from openmusic_media.covers.images import clean

COMPLETED = "JPEG Pillow without its end"
"""The one picture that is shown better than it came."""

pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="tests/pictures/install installs a browser")


@pytest.fixture
def table(request: pytest.FixtureRequest) -> Callable[[list[str]], None]:
    """Prints what was compared, whether the test passes or not."""
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    assert reporter is not None

    def write(rows: list[str]) -> None:
        for row in ["", *rows]:
            reporter.write_line(row)

    return write


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return dict(pictures(tmp_path_factory.mktemp("pictures")))


@pytest.fixture(scope="module")
def covers(uploads: dict[str, bytes]) -> dict[str, bytes]:
    return {name: clean(content).content for name, content in uploads.items()}


@pytest.fixture(scope="module")
def shown(uploads: dict[str, bytes], covers: dict[str, bytes]) -> tuple[dict[str, Shown], dict[str, Shown]]:
    return asyncio.run(show(uploads)), asyncio.run(show(covers))


def test_a_browser_shows_the_same_of_every_cover(
    shown: tuple[dict[str, Shown], dict[str, Shown]], table: Callable[[list[str]], None]
) -> None:
    before, after = shown
    table([_row(name, seen, after[name]) for name, seen in before.items()])
    assert {name: seen.error for name, seen in after.items() if seen.error} == {}
    assert {name for name in before if before[name] != after[name]} == {COMPLETED}


def test_of_a_picture_without_its_end_a_browser_shows_the_whole(
    shown: tuple[dict[str, Shown], dict[str, Shown]],
) -> None:
    before, after = shown
    assert after[COMPLETED] == before["JPEG Pillow whole"]


def _row(name: str, before: Shown, after: Shown) -> str:
    width, height, _ = before.still
    same = "equal" if after == before else f"shown differently: {after}"
    return f"{name:34} {width:3} x {height:<3} {len(before.frames):2} frames  {same}"


def test_the_judge_sees_what_would_be_lost(shown: tuple[dict[str, Shown], dict[str, Shown]]) -> None:
    """Of what stays, everything shows: else the comparison could not fail."""
    before, _ = shown

    def differ(one: str, other: str) -> bool:
        return before[one].still != before[other].still

    assert differ("PNG Pillow RGB", "PNG Pillow colour profile")
    assert differ("PNG Pillow RGB", "PNG Pillow cICP P3")
    assert differ("PNG Pillow RGB", "PNG Pillow cICP PQ")
    assert differ("PNG Pillow RGB", "PNG Pillow gamma")
    assert differ("JPEG Pillow 4:4:4", "JPEG Pillow colour profile")
    assert differ("JPEG Pillow turned 1", "JPEG Pillow turned 3")
    assert differ("WebP Pillow RGB", "WebP Pillow colour profile")
    assert not differ("WebP Pillow turned 1", "WebP Pillow turned 6"), "browsers do not turn it; other viewers may"
    assert differ("AVIF avifenc 8 bit", "AVIF avifenc Display P3")
    assert differ("AVIF avifenc 8 bit", "AVIF avifenc PQ")
    assert differ("AVIF avifenc 8 bit", "AVIF avifenc colour profile")
    assert differ("AVIF avifenc 8 bit", "AVIF avifenc turned")
    for film in ("APNG apngasm", "GIF gifsicle", "WebP img2webp", "AVIF avifenc film"):
        assert len({pixels for _, pixels in before[film].frames}) == 4
    assert before["GIF Pillow loop 3"].loops != before["GIF Pillow disposal 0"].loops


def test_nothing_else_is_left_in_any_cover(uploads: dict[str, bytes], covers: dict[str, bytes]) -> None:
    hiding = {name for name, content in uploads.items() if HIDDEN in content}
    assert len(hiding) > 40
    assert {name for name in covers if HIDDEN in covers[name]} == set()


def test_a_cover_is_not_encoded_again(uploads: dict[str, bytes], covers: dict[str, bytes]) -> None:
    for name, content in uploads.items():
        assert len(covers[name]) <= len(content) + 2, name


def test_what_was_cleaned_stays_as_it_is(covers: dict[str, bytes]) -> None:
    for name, content in covers.items():
        assert clean(content).content == content, name
