"""How people look for music: through the gateway, in the writing that is at hand."""

import secrets
from typing import Any


def test_songs_and_albums_are_found_without_their_accents(client: Any) -> None:
    mark = secrets.token_hex(6)
    song_id = client.song(f"Ågætis Straße {mark}", performer=f"Sigur Rós {mark}")
    album_id = client.album(f"ΟΔΥΣΣΕΥΣ {mark}")

    songs = client.call("GET", "/songs", params={"title": f"AGAETIS STRASSE {mark}", "performer": "ros"})
    albums = client.call("GET", "/albums", params={"name": f"οδυσσεύς {mark}"})

    assert [song["id"] for song in songs.json()["data"]["songs"]] == [song_id]
    assert [album["id"] for album in albums.json()["data"]["albums"]] == [album_id]
