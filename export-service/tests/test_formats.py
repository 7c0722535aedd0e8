"""Each format, read back by a parser that is not ours."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openmusic_export.formats import FORMATS, FormatName
from openmusic_export.playlists import Playlist, PlaylistSong
from openmusic_kit.ids import new_id
from openmusic_testkit.waiting import eventually

Bearer = Callable[[str], dict[str, str]]

XSPF = "{http://xspf.org/ns/0/}"
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=30)
songs = st.builds(PlaylistSong, id=st.builds(new_id, st.just("song")), title=texts, performer=texts)
playlists = st.builds(
    Playlist, id=st.builds(new_id, st.just("playlist")), name=texts, songs=st.lists(songs, max_size=4)
)
NOT_XML = {chr(code): "\ufffd" for code in (*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF)}


def rendered(name: FormatName, playlist: Playlist) -> str:
    return FORMATS[name].content(playlist).decode()


def as_xml(text: str) -> str:
    """What XML can hold of it."""
    return text.translate(str.maketrans(NOT_XML))


def one_line(text: str) -> str:
    return " ".join(text.splitlines())


@given(playlists)
def test_json_holds_everything_in_the_shape_of_the_contract(playlist: Playlist) -> None:
    expected = [{"id": song.id, "title": song.title, "performer": song.performer} for song in playlist.songs]
    read = json.loads(rendered("json", playlist))
    assert read == {"playlist": {"id": playlist.id, "name": playlist.name, "songs": expected}}


@given(playlists)
def test_csv_has_a_row_for_each_song(playlist: Playlist) -> None:
    rows = list(csv.reader(io.StringIO(rendered("csv", playlist), newline=""), strict=True))
    assert rows == [["id", "title", "performer"], *([song.id, song.title, song.performer] for song in playlist.songs)]


@given(playlists)
def test_m3u8_has_two_lines_for_each_song(playlist: Playlist) -> None:
    head, name, *rest = rendered("m3u8", playlist).removesuffix("\n").split("\n")
    assert (head, name) == ("#EXTM3U", f"#PLAYLIST:{one_line(playlist.name)}")
    assert rest[::2] == [f"#EXTINF:-1,{one_line(f'{song.performer} - {song.title}')}" for song in playlist.songs]
    assert rest[1::2] == [f"urn:openmusic:{song.id}" for song in playlist.songs]


@given(playlists)
def test_xspf_is_well_formed_and_holds_what_xml_can(playlist: Playlist) -> None:
    root = ElementTree.fromstring(FORMATS["xspf"].content(playlist))  # noqa: S314 - we wrote it
    assert (root.tag, root.attrib) == (f"{XSPF}playlist", {"version": "1"})
    assert root.findtext(f"{XSPF}title") == as_xml(playlist.name)
    tracks = root.findall(f"{XSPF}trackList/{XSPF}track")
    found = [[track.findtext(f"{XSPF}{part}") for part in ("identifier", "title", "creator")] for track in tracks]
    assert found == [
        [f"urn:openmusic:{song.id}", as_xml(song.title), as_xml(song.performer)] for song in playlist.songs
    ]


@given(playlists)
def test_jspf_is_xspf_as_json(playlist: Playlist) -> None:
    read = json.loads(rendered("jspf", playlist))["playlist"]
    assert (read["title"], read["identifier"]) == (playlist.name, f"urn:openmusic:{playlist.id}")
    assert read["track"] == [
        {"identifier": [f"urn:openmusic:{song.id}"], "title": song.title, "creator": song.performer}
        for song in playlist.songs
    ]


@pytest.mark.parametrize("name", FORMATS)
async def test_the_owner_downloads_a_playlist(
    client: httpx.AsyncClient, bearer: Bearer, neighbours: Any, name: FormatName
) -> None:
    playlist_id = neighbours.add_playlist("user-a", "Söngs")
    playlist = Playlist.model_validate(neighbours.playlists[playlist_id])

    answer = await client.get(f"/playlists/{playlist_id}/export?format={name}", headers=bearer("user-a"))

    assert (answer.status_code, answer.content) == (200, FORMATS[name].content(playlist))
    assert answer.headers["Content-Type"].partition(";")[0] == FORMATS[name].media_type
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{playlist_id}.{name}"'


async def test_a_download_is_json_unless_another_format_is_asked_for(
    client: httpx.AsyncClient, bearer: Bearer, neighbours: Any
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    answer = await client.get(f"/playlists/{playlist_id}/export", headers=bearer("user-a"))
    assert answer.json() == {"playlist": neighbours.playlists[playlist_id]}


async def test_downloads_are_refused_as_exports_by_mail_are(
    client: httpx.AsyncClient, bearer: Bearer, neighbours: Any
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    path, mine = f"/playlists/{playlist_id}/export", bearer("user-a")

    async def status(path: str, headers: dict[str, str] | None = None) -> int:
        answer = await client.get(path, headers=headers)
        assert answer.json()["message"]
        return answer.status_code

    assert await status(path) == 401
    assert await status(f"{path}?format=pdf", mine) == 400
    assert await status(f"{path}?format=CSV", mine) == 400
    assert await status(path, bearer("user-b")) == 403
    assert await status(f"/playlists/{new_id('playlist')}/export", mine) == 404
    assert await status("/playlists/xxx/export", mine) == 404
    del neighbours.playlists[playlist_id]  # between the two questions
    assert await status(path, mine) == 404
    neighbours.down = True
    assert await status(path, mine) == 503


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.usefixtures("worker")
async def test_a_mailed_export_has_the_format_that_was_asked_for(
    client: httpx.AsyncClient, bearer: Bearer, neighbours: Any, mail_server: Any, name: FormatName
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    body = {"targetEmail": "a@mail.test", "format": name}

    answer = await client.post(f"/export/playlists/{playlist_id}", json=body, headers=bearer("user-a"))

    assert answer.status_code == 201

    (mail,) = await eventually(lambda: mail_server.mails)
    (attachment,) = mail.iter_attachments()
    playlist = Playlist.model_validate(neighbours.playlists[playlist_id])
    assert attachment.get_payload(decode=True) == FORMATS[name].content(playlist)
    assert (attachment.get_content_type(), attachment.get_filename()) == (
        FORMATS[name].media_type,
        f"{playlist_id}.{name}",
    )
    assert f"The attached {name.upper()} file" in mail.get_body(("plain",)).get_content()


@pytest.mark.parametrize("wrong", ["pdf", "", None, 1, ["csv"]])
async def test_a_format_that_there_is_not_is_refused(
    client: httpx.AsyncClient, bearer: Bearer, neighbours: Any, wrong: Any
) -> None:
    path = f"/export/playlists/{neighbours.add_playlist('user-a')}"
    body = {"targetEmail": "a@mail.test", "format": wrong}
    assert (await client.post(path, json=body, headers=bearer("user-a"))).status_code == 400
