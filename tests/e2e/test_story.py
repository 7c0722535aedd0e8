"""Each row of the contract, as it succeeds."""

import json
import re
import secrets
from collections.abc import Callable
from typing import Any

import pytest

from openmusic_testkit import plain_http
from openmusic_testkit.waiting import wait_until


def test_albums_and_songs(client: Any) -> None:
    album_id = client.album("Parachutes", 2000)
    assert album_id.startswith("album-")
    song_id = client.song("Yellow", albumId=album_id, duration=266)
    assert song_id.startswith("song-")

    album = client.call("GET", f"/albums/{album_id}").json()["data"]["album"]
    assert album == {
        "id": album_id,
        "name": "Parachutes",
        "year": 2000,
        "coverUrl": None,
        "songs": [{"id": song_id, "title": "Yellow", "performer": "Coldplay"}],
    }
    song = client.call("GET", f"/songs/{song_id}").json()["data"]["song"]
    assert song == {
        "id": song_id,
        "title": "Yellow",
        "year": 2008,
        "performer": "Coldplay",
        "genre": "Pop",
        "duration": 266,
        "albumId": album_id,
    }

    for path, body in [
        (f"/albums/{album_id}", {"name": "New", "year": 2001}),
        (f"/songs/{song_id}", {"title": "Y", "year": 1, "genre": "g", "performer": "p"}),
    ]:
        answer = client.call("PUT", path, body)
        assert (answer.status_code, answer.json()["status"], bool(answer.json()["message"])) == (200, "success", True)
    assert client.call("GET", f"/albums/{album_id}").json()["data"]["album"]["songs"] == []
    for path in (f"/albums/{album_id}", f"/songs/{song_id}"):
        assert client.call("DELETE", path, {"stray": "body"}).status_code == 200
        assert client.call("GET", path).status_code == 404


def test_songs_are_found_by_title_and_performer(client: Any) -> None:
    song_id = client.song("Every Teardrop Is a Waterfall", performer="Coldplay 2011")

    found = client.call("GET", "/songs", params={"title": "tEARDROP", "performer": "2011"}).json()["data"]["songs"]

    assert {"id": song_id, "title": "Every Teardrop Is a Waterfall", "performer": "Coldplay 2011"} in found
    assert all(song.keys() == {"id", "title", "performer"} for song in found)


def test_users_and_authentications(client: Any) -> None:
    user = client.register()
    answer = client.call("GET", f"/users/{user.id}").json()
    assert answer["data"]["user"] == {"id": user.id, "username": user.username, "fullname": "A User"}

    for _ in range(3):
        fresh = client.call("PUT", "/authentications", {"refreshToken": user.refresh_token})
        assert fresh.status_code == 200
        bearer = {"Authorization": f"Bearer {fresh.json()['data']['accessToken']}"}
        assert client.call("GET", "/playlists", headers=bearer).status_code == 200

    assert client.call("DELETE", "/authentications", {"refreshToken": user.refresh_token}).status_code == 200
    for method in ("PUT", "DELETE"):
        assert client.call(method, "/authentications", {"refreshToken": user.refresh_token}).status_code == 400


def test_an_account_in_the_hands_of_its_user(client: Any) -> None:
    user = client.register("account")
    friend = client.register("friend")
    mine = {"id": user.id, "username": user.username, "fullname": "A User"}
    assert client.call("GET", "/users/me", user=user).json()["data"]["user"] == mine
    found = client.call("GET", "/users", params={"username": user.username}, user=friend)
    assert found.json()["data"]["users"] == [mine]
    for path in (f"/users/{user.id}", "/users/me"):
        client.call("GET", path, user=user)
    changed = client.call("PATCH", "/users/me", {"fullname": "Another Name"}, user)
    assert (changed.status_code, changed.json()["data"]["user"]) == (200, mine | {"fullname": "Another Name"})
    for path in (f"/users/{user.id}", "/users/me"):
        read = client.call("GET", path, user=user)
        assert read.json()["data"]["user"]["fullname"] == "Another Name"
        assert "X-Data-Source" not in read.headers
        wait_until(lambda path=path: "X-Data-Source" in client.call("GET", path, user=user).headers)

    login = {"username": user.username, "password": "secret"}
    phone = client.created("/authentications", login)
    change = {"password": "secret", "newPassword": "better secret", "refreshToken": user.refresh_token}
    wrong = client.call("PUT", "/users/me/password", change | {"password": "wrong!"}, user)
    assert (wrong.status_code, wrong.json()["status"]) == (403, "fail")
    assert client.call("PUT", "/users/me/password", change, user).status_code == 200
    assert client.call("POST", "/authentications", login).status_code == 401
    refresh = {"refreshToken": phone["refreshToken"]}
    assert client.call("PUT", "/authentications", refresh).status_code == 400, "that session has ended"
    assert client.call("PUT", "/authentications", {"refreshToken": user.refresh_token}).status_code == 200

    tablet = client.created("/authentications", login | {"password": "better secret"})
    sessions = client.call("GET", "/users/me/sessions", user=user).json()["data"]["sessions"]
    assert len(sessions) == 2
    ended = f"/users/me/sessions/{sessions[0]['id']}"
    assert client.call("DELETE", ended, user=friend).status_code == 404
    assert client.call("DELETE", ended, user=user).status_code == 200
    assert client.call("PUT", "/authentications", {"refreshToken": tablet["refreshToken"]}).status_code == 400
    assert client.call("DELETE", "/users/me/sessions", user=user).status_code == 200
    assert client.call("PUT", "/authentications", {"refreshToken": user.refresh_token}).status_code == 400
    assert client.call("GET", "/users/me/sessions", user=user).json()["data"] == {"sessions": []}


def test_a_playlist_that_is_described_published_and_left(client: Any, alice: Any, bob: Any) -> None:
    playlist_id = client.playlist(alice, "Draft")
    path = f"/playlists/{playlist_id}"
    client.add(playlist_id, client.song("Yellow"), alice)
    assert [client.call("GET", each, user=bob).status_code for each in (path, f"{path}/songs")] == [403, 403]

    changes = {"name": "Summer", "description": "For the road", "public": True}
    assert client.call("PATCH", path, changes, alice).status_code == 200

    found = client.call("GET", path, user=bob).json()["data"]["playlist"]
    assert {name: found[name] for name in changes} == changes
    assert found["owner"] == {"id": alice.id, "username": alice.username}
    assert (found["songCount"], found["collaboratorCount"]) == (1, 0)
    assert [song["title"] for song in client.songs_in(playlist_id, bob)] == ["Yellow"]

    assert client.call("PATCH", path, {"public": False}, alice).status_code == 200
    assert [client.call("GET", each, user=bob).status_code for each in (path, f"{path}/songs")] == [403, 403]

    client.share(playlist_id, alice, bob)
    collaborators = client.call("GET", f"{path}/collaborators", user=bob).json()["data"]["collaborators"]
    assert collaborators == [{"id": bob.id, "username": bob.username}]
    assert client.call("DELETE", f"{path}/collaborators/me", user=bob).status_code == 200
    assert client.call("GET", path, user=bob).status_code == 403
    edits = client.call("GET", f"{path}/activities?edits=true", user=alice).json()["data"]["activities"]
    assert [each["action"] for each in edits] == ["add", "rename", "describe", "publish", "unpublish", "leave"]


def test_a_shared_playlist(client: Any, alice: Any, bob: Any) -> None:
    playlist_id = client.playlist(alice, "Ours")
    first, second = client.song("First"), client.song("Second")
    assert client.share(playlist_id, alice, bob).startswith("collab-")
    client.add(playlist_id, second, bob)
    client.add(playlist_id, first, alice)

    expected = {"id": playlist_id, "name": "Ours", "username": alice.username}
    for user in (alice, bob):
        assert expected in client.call("GET", "/playlists", user=user).json()["data"]["playlists"]
        answer = client.call("GET", f"/playlists/{playlist_id}/songs", user=user).json()
        songs = [{"id": second, "title": "Second", "performer": "Coldplay"}]
        songs.append({"id": first, "title": "First", "performer": "Coldplay"})
        assert answer["data"]["playlist"] == {**expected, "songs": songs}

    path = f"/playlists/{playlist_id}/songs"
    assert client.call("DELETE", path, {"songId": second}, bob).status_code == 200
    data = client.call("GET", f"/playlists/{playlist_id}/activities", user=bob).json()["data"]
    assert data["playlistId"] == playlist_id
    assert [(each["username"], each["title"], each["action"]) for each in data["activities"]] == [
        (bob.username, "Second", "add"),
        (alice.username, "First", "add"),
        (bob.username, "Second", "delete"),
    ]

    collaboration = {"playlistId": playlist_id, "userId": bob.id}
    assert client.call("DELETE", "/collaborations", collaboration, alice).status_code == 200
    assert client.call("GET", path, user=bob).status_code == 403
    assert client.call("DELETE", f"/playlists/{playlist_id}", user=alice).status_code == 200
    assert client.call("GET", path, user=alice).status_code == 404


def test_the_songs_of_a_playlist_are_put_in_order(client: Any, alice: Any, bob: Any) -> None:
    playlist_id = client.playlist(alice, "Ours")
    songs = [client.song(title) for title in ("One", "Two", "Three")]
    for song_id in songs:
        client.add(playlist_id, song_id, alice)
    client.share(playlist_id, alice, bob)
    path = f"/playlists/{playlist_id}/songs/order"
    seen = client.call("GET", f"/playlists/{playlist_id}", user=alice).json()["data"]["playlist"]["revision"]

    assert client.call("PUT", path, {"songId": songs[2], "after": None}, bob).status_code == 200
    for user in (alice, bob):
        assert [song["title"] for song in client.songs_in(playlist_id, user)] == ["Three", "One", "Two"]
    assert client.call("PUT", path, {"songIds": songs, "revision": seen}, alice).status_code == 400
    assert client.call("PUT", path, {"songIds": songs}, alice).status_code == 200
    assert [song["title"] for song in client.songs_in(playlist_id, bob)] == ["One", "Two", "Three"]


def test_many_songs_are_added_and_deleted_at_once(client: Any, alice: Any, bob: Any) -> None:
    playlist_id = client.playlist(alice, "Ours")
    client.share(playlist_id, alice, bob)
    songs = [client.song(title) for title in ("One", "Two", "Three")]
    path = f"/playlists/{playlist_id}/songs/batch"

    assert client.call("POST", path, {"songIds": songs}, bob).status_code == 201
    assert [song["title"] for song in client.songs_in(playlist_id, alice)] == ["One", "Two", "Three"]
    missing = client.call("DELETE", path, {"songIds": [songs[0], "song-x"]}, alice)
    assert (missing.status_code, missing.json()["data"]) == (404, {"notFound": ["song-x"]})
    assert client.call("DELETE", path, {"songIds": [songs[2], songs[0]]}, alice).status_code == 200
    assert [song["title"] for song in client.songs_in(playlist_id, bob)] == ["Two"]
    activities = client.call("GET", f"/playlists/{playlist_id}/activities", user=bob).json()["data"]["activities"]
    expected = [("One", "add"), ("Two", "add"), ("Three", "add"), ("Three", "delete"), ("One", "delete")]
    assert [(each["title"], each["action"]) for each in activities] == expected


def test_a_playlist_is_copied(client: Any, alice: Any, bob: Any) -> None:
    playlist_id = client.playlist(alice, "Ours")
    for title in ("One", "Two"):
        client.add(playlist_id, client.song(title), alice)
    path = f"/playlists/{playlist_id}/copy"
    assert client.call("POST", path, user=bob).status_code == 403
    client.share(playlist_id, alice, bob)

    answer = client.call("POST", path, user=bob)
    named = client.call("POST", path, {"name": "Mine"}, bob)

    for copied, name in ((answer, "Ours"), (named, "Mine")):
        assert copied.status_code == 201
        copy_id = copied.json()["data"]["playlistId"]
        assert copied.headers["Location"] == f"/playlists/{copy_id}"
        found = client.call("GET", f"/playlists/{copy_id}", user=bob).json()["data"]["playlist"]
        assert (found["name"], found["owner"]["id"], found["public"]) == (name, bob.id, False)
        assert [song["title"] for song in client.songs_in(copy_id, bob)] == ["One", "Two"]
        assert client.call("GET", f"/playlists/{copy_id}", user=alice).status_code == 403


def test_likes_and_where_they_came_from(client: Any, alice: Any, bob: Any) -> None:
    path = f"/albums/{client.album()}/likes"
    for method, user, likes in [("POST", alice, 1), ("POST", bob, 2), ("DELETE", alice, 1)]:
        assert client.call(method, path, user=user).status_code == (201 if method == "POST" else 200)
        first, second = client.call("GET", path), client.call("GET", path)
        assert first.json()["data"] == second.json()["data"] == {"likes": likes}
        assert "X-Data-Source" not in first.headers
        assert second.headers["X-Data-Source"] == "cache"


def test_an_export_arrives_by_mail(client: Any, alice: Any, mails: Callable[[str], list[Any]], mail_url: str) -> None:
    playlist_id = client.playlist(alice, "Söngs <b>&</b>")
    song_id = client.song("Exported")
    client.add(playlist_id, song_id, alice)
    address = f"{playlist_id[-12:]}@listener.test"

    answer = client.call("POST", f"/export/playlists/{playlist_id}", {"targetEmail": address}, alice)

    assert answer.status_code == 201
    export_id = answer.json()["data"]["exportId"]
    data = {"exportId": export_id}
    assert answer.json() == {"status": "success", "message": "Permintaan Anda sedang kami proses", "data": data}
    assert answer.headers["Location"] == f"/export/{export_id}"
    mail = wait_until(lambda: mails(address))[0]
    assert mail["subject"] == "Your playlist export"
    assert "Söngs <b>&</b>" in mail["text"]
    assert "&lt;b&gt;" in mail["html"]
    attachment = mail["attachments"][0]
    assert attachment["contentType"] == "application/json"
    file = plain_http.get(f"{mail_url}/api/email/{mail['id']}/attachment/{attachment['generatedFileName']}")
    assert json.loads(file.content) == {
        "playlist": {
            "id": playlist_id,
            "name": "Söngs <b>&</b>",
            "songs": [{"id": song_id, "title": "Exported", "performer": "Coldplay"}],
        }
    }


def test_a_playlist_can_be_downloaded_in_other_formats(client: Any, alice: Any, bob: Any) -> None:
    playlist_id = client.playlist(alice, "Taken along & kept")
    song_id = client.song('"Heroes"', performer="Bowie, David")
    client.add(playlist_id, song_id, alice)
    client.share(playlist_id, alice, bob)
    path = f"/playlists/{playlist_id}/export"

    files = {each: client.call("GET", path, user=alice, params={"format": each}) for each in ("csv", "xspf", "m3u8")}

    assert files["csv"].text == f'id,title,performer\r\n{song_id},"""Heroes""","Bowie, David"\r\n'
    assert "<title>Taken along &amp; kept</title>" in files["xspf"].text
    assert '#EXTINF:-1,Bowie, David - "Heroes"' in files["m3u8"].text.splitlines()
    assert files["csv"].headers["Content-Disposition"] == f'attachment; filename="{playlist_id}.csv"'
    assert client.call("GET", path, user=alice).json()["playlist"]["songs"][0]["id"] == song_id
    statuses = [client.call("GET", path, user=user).status_code for user in (bob, None)]
    assert statuses == [403, 401]
    assert client.call("GET", f"{path}?format=pdf", user=alice).status_code == 400


@pytest.mark.usefixtures("mail_url")  # where the mail is taken at once
def test_an_export_can_be_followed_by_the_one_who_asked_for_it(client: Any, alice: Any, bob: Any) -> None:
    playlist_id = client.playlist(alice, "Followed")
    payload = {"targetEmail": "follower@listener.test", "format": "csv"}
    answer = client.call("POST", f"/export/playlists/{playlist_id}", payload, alice)
    path = answer.headers["Location"]

    def finished() -> Any:
        export = client.call("GET", path, user=alice).json()["data"]["export"]
        return export if export["state"] != "pending" else None

    export = wait_until(finished)
    assert export["createdAt"] <= export["finishedAt"]
    assert {name: value for name, value in export.items() if not name.endswith("At")} == {
        "id": answer.json()["data"]["exportId"],
        "playlistId": playlist_id,
        "targetEmail": "follower@listener.test",
        "format": "csv",
        "state": "sent",
        "attempts": 1,
        "problem": None,
    }
    assert client.call("GET", "/export", user=alice).json()["data"]["exports"][0] == export
    refused = client.call("GET", path, user=bob)
    assert (refused.status_code, refused.json()["status"]) == (404, "fail")
    assert export["id"] not in client.call("GET", "/export", user=bob).text
    assert client.call("GET", path).status_code == 401


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "AVIF"])
def test_a_cover_can_be_uploaded_and_replaced(client: Any, picture: Any, kind: str) -> None:
    album_id = client.album()
    assert client.upload(album_id, picture(kind), "anything.txt", "text/plain").status_code == 201
    first = client.call("GET", f"/albums/{album_id}").json()["data"]["album"]["coverUrl"]

    image = client.http.get(first)
    assert image.status_code == 200
    assert image.headers["content-type"] == f"image/{kind.lower()}"
    assert image.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in image.headers["cache-control"]
    not_modified = client.http.get(first, headers={"If-None-Match": image.headers["etag"]})
    assert not_modified.status_code == 304
    part = client.http.get(first, headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, image.content[:10])
    small = plain_http.get(f"{first}?size=64")
    assert (small.status_code, small.headers["content-type"]) == (200, "image/webp")
    assert small.headers["cache-control"] == image.headers["cache-control"]
    assert plain_http.get(f"{first}?size=65").status_code == 400
    colored = client.call("GET", f"/albums/{album_id}?color=true").json()["data"]["album"]
    assert re.fullmatch("#[0-9a-f]{6}", colored["coverColor"])

    assert client.upload(album_id, picture("PNG", "red")).status_code == 201
    second = client.call("GET", f"/albums/{album_id}").json()["data"]["album"]["coverUrl"]
    assert second != first
    wait_until(lambda: client.http.get(first).status_code == 404)
    assert client.call("DELETE", f"/albums/{album_id}").status_code == 200
    wait_until(lambda: client.http.get(second).status_code == 404)


def test_a_cover_that_was_sent_to_the_storage_is_shown_once_it_is_completed(client: Any, picture: Any) -> None:
    album_id = client.album()
    upload_id = client.send_to_storage(album_id, picture())
    assert client.call("GET", f"/albums/{album_id}").json()["data"]["album"]["coverUrl"] is None

    done = client.call("POST", f"/albums/{album_id}/covers/uploads/{upload_id}")

    assert done.status_code == 201, done.text
    cover_url = client.call("GET", f"/albums/{album_id}").json()["data"]["album"]["coverUrl"]
    assert cover_url.endswith(done.headers["Location"])
    assert client.http.get(cover_url).headers["content-type"] == "image/png"


def test_a_playlist_has_a_cover_until_it_is_deleted(client: Any, picture: Any, alice: Any, bob: Any) -> None:
    playlist_id = client.playlist(alice, "With a cover")
    path = f"/playlists/{playlist_id}"
    files = {"cover": ("cover.png", picture(), "image/png")}
    assert client.http.post(f"{path}/cover", files=files, headers=bob.headers).status_code == 403
    uploads = [client.http.post(f"{path}/cover", files=files, headers=alice.headers) for _ in range(2)]
    assert [uploaded.status_code for uploaded in uploads] == [201, 201]

    url = client.call("GET", path, user=alice).json()["data"]["playlist"]["coverUrl"]

    first, second = [url.replace(uploads[1].headers["Location"], each.headers["Location"]) for each in uploads]
    assert url == second
    assert plain_http.get(url).headers["content-type"] == "image/png"
    assert plain_http.get(f"{url}?size=256").headers["content-type"] == "image/webp"
    wait_until(lambda: plain_http.get(first).status_code == 404)
    assert client.call("DELETE", f"{path}/cover", user=alice).status_code == 200
    assert client.call("GET", path, user=alice).json()["data"]["playlist"]["coverUrl"] is None
    wait_until(lambda: plain_http.get(second).status_code == 404)

    third = client.http.post(f"{path}/cover", files=files, headers=alice.headers).headers["Location"]
    assert client.http.get(third).status_code == 200
    assert client.call("DELETE", path, user=alice).status_code == 200
    wait_until(lambda: client.http.get(third).status_code == 404)


def test_somebody_looks_for_an_album(client: Any) -> None:
    mark = secrets.token_hex(8)
    created = client.call("POST", "/albums", {"name": f"Viva {mark}", "year": 2008})
    other = client.album(f"Parachutes {mark}", 2000)
    album_id = created.json()["data"]["albumId"]

    def found(path: str = "/albums", **query: Any) -> list[tuple[str, str]]:
        albums = client.call("GET", path, params=query).json()["data"]["albums"]
        return [(album["id"], album["name"]) for album in albums]

    assert created.headers["Location"] == f"/albums/{album_id}"
    assert found(name=mark.upper()) == [(album_id, f"Viva {mark}"), (other, f"Parachutes {mark}")]
    assert found(name=mark, year=2000) == [(other, f"Parachutes {mark}")]
    first = client.call("GET", "/albums", params={"name": mark, "limit": 1})
    rest = client.call("GET", first.links["next"]["url"])
    assert [album["id"] for album in rest.json()["data"]["albums"]] == [other]
    assert client.call("PUT", f"/albums/{album_id}", {"name": f"Lost {mark}", "year": 2008}).is_success
    assert found(name=mark, year=2008) == [(album_id, f"Lost {mark}")]
    assert client.call("DELETE", f"/albums/{album_id}").is_success
    assert found(name=mark) == [(other, f"Parachutes {mark}")]
