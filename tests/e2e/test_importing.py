"""Playlists that leave as files and come back: the same songs in the same order, whatever their texts are."""

import csv
import io
import secrets
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openmusic_export import formats as export_formats
from openmusic_export.playlists import Playlist, PlaylistSong
from openmusic_kit.ids import new_id
from openmusic_playlist.imports.formats.reading import FORMATS, MEDIA_TYPES, read_file

IMPORT = "/playlists/import"
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=30)
names = texts.filter(str.strip)
songs = st.builds(PlaylistSong, id=st.builds(new_id, st.just("song")), title=texts, performer=texts)
playlists = st.builds(
    Playlist, id=st.builds(new_id, st.just("playlist")), name=names, songs=st.lists(songs, max_size=5)
)


def test_each_format_of_an_export_can_be_imported() -> None:
    assert set(FORMATS) == set(export_formats.FORMATS)
    assert {each.media_type for each in export_formats.FORMATS.values()} <= set(MEDIA_TYPES)


@given(playlists, st.sampled_from(FORMATS))
def test_a_file_of_ours_names_the_same_songs_in_the_same_order(playlist: Playlist, name: Any) -> None:
    file = read_file(export_formats.FORMATS[name].content(playlist), name)

    assert [row.song_id for row in file.rows] == [song.id for song in playlist.songs]
    if name in ("json", "csv", "jspf"):  # the others cannot hold every character
        assert [row.readings[0] for row in file.rows] == [(song.title, song.performer) for song in playlist.songs]
    if name in ("json", "jspf"):
        assert file.name == playlist.name


@pytest.mark.parametrize("file_format", FORMATS)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_an_export_comes_back_as_the_same_playlist(client: Any, alice: Any, file_format: str, data: Any) -> None:
    drawn = data.draw(st.lists(st.tuples(names, names), max_size=4))
    name = data.draw(names)
    song_ids = [client.song(title, performer=performer) for title, performer in drawn]
    song_ids = data.draw(st.permutations(song_ids))
    playlist_id = client.playlist(alice, name)
    if song_ids:
        client.created(f"/playlists/{playlist_id}/songs/batch", {"songIds": song_ids}, alice)
    file = client.call("GET", f"/playlists/{playlist_id}/export", user=alice, params={"format": file_format})

    headers = {"Content-Type": file.headers["Content-Type"]}
    answer = client.call("POST", IMPORT, user=alice, content=file.content, headers=headers)

    assert answer.status_code == 201, answer.text
    report = answer.json()["data"]
    came_back = report.pop("playlistId")
    assert report == {"added": len(song_ids), "duplicates": 0, "notFound": 0, "missing": []}
    assert client.songs_in(came_back, alice) == client.songs_in(playlist_id, alice)


def test_the_file_of_a_migration_tool_is_imported_with_a_report(client: Any, alice: Any, bob: Any) -> None:
    mark = secrets.token_hex(6)
    halo, strasse = client.song(f"Halo {mark}", performer="Beyoncé"), client.song(f"Straße {mark}", performer="Ünter")
    file = io.StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_ALL)
    writer.writerow(["Track URI", "Track Name", "Album Name", "Artist Name(s)", "Release Date"])
    writer.writerow(["spotify:track:1", f"STRASSE {mark}", "", "unter", "2008"])
    writer.writerow(["spotify:track:2", f"Unknown {mark}", "", "Nobody", ""])
    writer.writerow(["spotify:track:3", f"halo {mark}", "I Am…", "BEYONCE;JAY-Z", "2008-11-01"])
    writer.writerow(["spotify:track:4", f"Halo {mark}", "Live", "Beyoncé", "2010"])
    content = file.getvalue().encode("utf-16")

    answer = client.call(
        "POST", f"{IMPORT}?name=From%20elsewhere", user=bob, content=content, headers={"Content-Type": "text/csv"}
    )

    assert answer.status_code == 201, answer.text
    report = answer.json()["data"]
    missing = [{"position": 2, "title": f"Unknown {mark}", "performer": "Nobody"}]
    playlist_id = report.pop("playlistId")
    assert report == {"added": 2, "duplicates": 1, "notFound": 1, "missing": missing}
    assert answer.headers["Location"] == f"/playlists/{playlist_id}"
    listed = client.call("GET", "/playlists", user=bob).json()["data"]["playlists"]
    assert {"id": playlist_id, "name": "From elsewhere", "username": bob.username} in listed
    assert [song["id"] for song in client.songs_in(playlist_id, bob)] == [strasse, halo]
    assert client.call("GET", f"/playlists/{playlist_id}/songs", user=alice).status_code == 403
    activities = client.call("GET", f"/playlists/{playlist_id}/activities", user=bob).json()["data"]["activities"]
    assert [each["action"] for each in activities] == ["add", "add"]


def test_a_file_of_several_megabytes_passes_and_a_larger_one_does_not(client: Any, alice: Any) -> None:
    headers = {"Content-Type": "application/json"}
    file = b'{"playlist": {"songs": []}}'.ljust(8_388_608)
    assert client.call("POST", IMPORT, user=alice, content=file, headers=headers).status_code == 201
    refused = client.call("POST", IMPORT, user=alice, content=file + b" ", headers=headers)
    assert (refused.status_code, refused.json()["status"]) == (413, "fail")
    assert client.call("POST", "/playlists", user=alice, content=b" " * 1_048_577).status_code == 413


@pytest.mark.parametrize(
    ("media_type", "content"),
    [
        ("application/xspf+xml", b'<!DOCTYPE x [<!ENTITY a "a">]><playlist><title>&a;</title></playlist>'),
        ("text/csv", b'title,artist\n"open'),
        ("text/csv", b"PK\x03\x04"),
        ("application/json", b"[" * 100_000),
        ("audio/x-mpegurl", b"#EXTM3U\n\0"),
        ("application/jspf+json", b"\xff\xfe"),
        ("text/plain", b"title,artist"),
        ("", b""),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(client: Any, alice: Any, media_type: str, content: bytes) -> None:
    before = client.call("GET", "/playlists", user=alice).json()
    answer = client.call("POST", IMPORT, user=alice, content=content, headers={"Content-Type": media_type})
    assert (answer.status_code, answer.json()["status"]) == (400, "fail")
    assert answer.json()["message"].startswith("The f")
    assert client.call("GET", "/playlists", user=alice).json() == before
