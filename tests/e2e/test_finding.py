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


def test_songs_come_in_the_order_asked_for(client: Any) -> None:
    genre, album_id = secrets.token_hex(6), client.album()
    wanted = [("Yellow", 2000), ("Clocks", 2002), ("Amsterdam", 2002), ("Lost!", 2008)]
    ids = {title: client.song(title, year=year, genre=genre, albumId=album_id) for title, year in wanted}

    query = {"genre": genre.upper(), "album": album_id, "yearTo": 2002, "sort": "-year,title", "limit": 2, "tempo": 120}
    first = client.call("GET", "/songs", params=query)
    second = client.call("GET", first.links["next"]["url"])

    found = [[song["id"] for song in page.json()["data"]["songs"]] for page in (first, second)]
    assert found == [[ids["Amsterdam"], ids["Clocks"]], [ids["Yellow"]]]
    assert "next" not in second.links
    assert client.call("GET", "/songs", params={"sort": "tempo"}).status_code == 400


def test_one_search_finds_songs_albums_and_performers(client: Any) -> None:
    mark = secrets.token_hex(6)
    album_id = client.album(f"Médúlla {mark}", 2004)
    song_id = client.song(f"Öll birtan {mark}", performer=f"Björk {mark}", albumId=album_id)

    def search(q: str) -> Any:
        answer = client.call("GET", "/search", params={"q": q})
        assert answer.status_code == 200
        return answer.json()["data"]

    song = {"id": song_id, "title": f"Öll birtan {mark}", "performer": f"Björk {mark}"}
    album = {"id": album_id, "name": f"Médúlla {mark}", "year": 2004, "coverUrl": None}
    performer = {"name": f"Björk {mark}"}
    assert search(f"{mark}") == {"songs": [song], "albums": [album], "performers": [performer]}
    assert search(f"BJORK {mark} oll") == {"songs": [song], "albums": [], "performers": []}
    assert search(f"medulla x{mark}")["albums"] == [album]
    assert client.call("DELETE", f"/songs/{song_id}").status_code == 200
    assert search(f"{mark}") == {"songs": [], "albums": [album], "performers": []}
    assert client.call("GET", "/search").status_code == 400


def test_playlists_are_found_by_their_members_alone(client: Any, alice: Any, bob: Any) -> None:
    mark = secrets.token_hex(6)
    playlist_id = client.playlist(alice, f"Été {mark}")

    def found(user: Any) -> Any:
        answer = client.call("GET", "/search/playlists", user=user, params={"q": f"ete {mark.upper()}"})
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]["playlists"]

    def known(name: str) -> list[dict[str, str]]:
        return [{"id": playlist_id, "name": name, "username": alice.username}]

    for _ in range(2):
        assert (found(alice), found(bob)) == (known(f"Été {mark}"), [])
    client.share(playlist_id, alice, bob)
    assert found(bob) == known(f"Été {mark}")
    assert client.call("PATCH", f"/playlists/{playlist_id}", {"name": f"Ete 2 {mark}"}, alice).status_code == 200
    assert found(alice) == found(bob) == known(f"Ete 2 {mark}")
    body = {"playlistId": playlist_id, "userId": bob.id}
    assert client.call("DELETE", "/collaborations", body, alice).status_code == 200
    assert (found(alice), found(bob)) == (known(f"Ete 2 {mark}"), [])
    assert client.call("GET", "/search/playlists", params={"q": mark}).status_code == 401
    assert client.call("GET", "/search", user=alice, params={"q": mark}).json()["data"]["songs"] == []
