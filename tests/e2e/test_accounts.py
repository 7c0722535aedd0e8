"""Accounts that are deleted or renamed: within seconds every service knows, and others keep what is theirs."""

from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from openmusic_operations.system import WITH_DATABASE
from openmusic_testkit.waiting import wait_until

TOMBSTONES = {
    *(("playlist", table) for table in ("users", "activities", "playlist_edits")),
    *((service, "deleted_users") for service in ("catalog", "export")),
}
"""Where the id stays, without a name: it keeps late events from restoring anything, and tells activities apart."""


def rows(stack: Any, service: str) -> dict[str, str]:
    """All that a service stores, by table."""
    settings = stack.environment(service)
    names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password", "PGDATABASE": "dbname"}
    given: Any = {ours: settings[name] for name, ours in names.items()}
    with psycopg.connect(**given, row_factory=tuple_row) as connection:
        tables = [
            name
            for (name,) in connection.execute(
                "SELECT table_name FROM information_schema.tables"
                " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
            )
        ]
        found = {}
        for table in tables:
            stored = connection.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(table)))
            found[table] = "\n".join(text for (text,) in stored)
        return found


def traces(stack: Any, *secrets: str) -> set[tuple[str, str, str]]:
    """Which of the texts are found in which table of which service."""
    return {
        (service, table, secret)
        for service in WITH_DATABASE
        for table, stored in rows(stack, service).items()
        for secret in secrets
        if secret in stored
    }


def test_everything_of_a_deleted_user_is_gone_within_seconds(stack: Any, client: Any, mails: Any) -> None:
    leaver, friend = client.register("leaver"), client.register("friend")
    album, song = client.album(), client.song()
    mine, theirs = client.playlist(leaver, "The leaver's own"), client.playlist(friend, "The friend's")
    client.share(mine, leaver, friend)
    client.share(theirs, friend, leaver)
    client.add(mine, song, friend)
    client.add(theirs, song, leaver)
    for user in (leaver, friend):
        client.created(f"/albums/{album}/likes", None, user)
    address = f"{leaver.username}@mail.test"
    client.created(f"/export/playlists/{mine}", {"targetEmail": address}, leaver)
    wait_until(lambda: mails(address))
    secrets = (leaver.username, "The leaver's own", address)
    stored_in = {service for service, _, _ in traces(stack, leaver.id, *secrets)}
    assert stored_in == set(WITH_DATABASE)
    for _ in range(2):
        assert client.call("GET", f"/albums/{album}/likes").json()["data"]["likes"] == 2
        assert client.call("GET", "/playlists", user=friend).json()["data"]["playlists"][0]["id"] == mine

    answer = client.call("DELETE", "/users/me", {"password": "secret"}, leaver)

    assert answer.status_code == 200, answer.text
    assert client.call("GET", f"/users/{leaver.id}").status_code == 404
    assert client.call("GET", "/users/me", user=leaver).status_code == 401
    assert client.call("PUT", "/authentications", {"refreshToken": leaver.refresh_token}).status_code == 400
    wait_until(lambda: {each[:2] for each in traces(stack, leaver.id, *secrets)} <= TOMBSTONES, 10)
    assert traces(stack, *secrets) == set()
    for path in ("songs", "activities"):
        assert client.call("GET", f"/playlists/{mine}/{path}", user=friend).status_code == 404
    (left,) = client.call("GET", "/playlists", user=friend).json()["data"]["playlists"]
    assert left["id"] == theirs
    (activity,) = client.call("GET", f"/playlists/{theirs}/activities", user=friend).json()["data"]["activities"]
    assert (activity["username"], activity["action"]) == ("deleted user", "add")
    assert [each["id"] for each in client.songs_in(theirs, friend)] == [song]
    assert client.call("GET", f"/albums/{album}/likes").json()["data"]["likes"] == 1


def test_the_old_token_of_a_deleted_user_leaves_nothing_behind(stack: Any, client: Any) -> None:
    """It is valid until it expires, and what it did before the event arrived goes with the rest."""
    leaver = client.register("leaver")
    album, theirs = client.album(), client.playlist(leaver)

    assert client.call("DELETE", "/users/me", {"password": "secret"}, leaver).status_code == 200
    client.call("POST", "/playlists", {"name": "Made by an old token"}, leaver)
    client.call("POST", f"/albums/{album}/likes", user=leaver)
    client.call("POST", f"/export/playlists/{theirs}", {"targetEmail": "old-token@mail.test"}, leaver)

    wait_until(lambda: {each[:2] for each in traces(stack, leaver.id)} <= TOMBSTONES, 10)
    for _ in range(2):
        for path, body in (("/playlists", {"name": "x"}), (f"/albums/{album}/likes", None)):
            assert client.call("POST", path, body, leaver).status_code == 401
        export = client.call("POST", f"/export/playlists/{theirs}", {"targetEmail": "old-token@mail.test"}, leaver)
        assert export.status_code in {401, 404}
    assert traces(stack, "Made by an old token", "old-token@mail.test") == set()
    assert {each[:2] for each in traces(stack, leaver.id)} <= TOMBSTONES


def test_a_new_username_is_shown_everywhere_within_seconds(client: Any) -> None:
    renamed, friend = client.register("renamed"), client.register("friend")
    mine, theirs = client.playlist(renamed), client.playlist(friend)
    client.share(mine, renamed, friend)
    client.share(theirs, friend, renamed)
    client.add(theirs, client.song(), renamed)

    def shown() -> set[str]:
        listed = client.call("GET", "/playlists", user=friend).json()["data"]["playlists"]
        songs = client.call("GET", f"/playlists/{mine}/songs", user=friend).json()["data"]["playlist"]
        activities = client.call("GET", f"/playlists/{theirs}/activities", user=friend).json()["data"]["activities"]
        (owner,) = (each["username"] for each in listed if each["id"] == mine)
        return {owner, songs["username"], *(each["username"] for each in activities)}

    for _ in range(2):
        assert shown() == {renamed.username}
    username = f"{renamed.username}_2"

    answer = client.call("PATCH", "/users/me", {"username": username}, renamed)

    assert answer.status_code == 200, answer.text
    assert client.call("GET", f"/users/{renamed.id}").json()["data"]["user"]["username"] == username
    wait_until(lambda: shown() == {username}, 10)


def test_all_data_of_a_user_come_in_one_file(client: Any) -> None:
    user, friend = client.register("collector"), client.register("friend")
    album, songs = client.album("Parachutes"), [client.song(title) for title in ("Yellow", "Don't Panic")]
    mine = [client.playlist(user, f"Mine {number}") for number in range(25)]  # more than a page
    theirs = client.playlist(friend, "Theirs")
    client.share(theirs, friend, user)
    for song in songs:
        client.add(mine[0], song, user)
    client.add(theirs, songs[0], user)
    client.add(theirs, songs[1], friend)
    client.created(f"/albums/{album}/likes", None, user)
    export_id = client.created(f"/export/playlists/{mine[0]}", {"targetEmail": "me@mail.test"}, user)["exportId"]

    answer = client.call("GET", "/users/me/data", user=user)

    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert data["user"] == {"id": user.id, "username": user.username, "fullname": "A User"}
    assert len(data["sessions"]) == 1
    assert [each["id"] for each in data["playlists"]] == mine
    assert [each["title"] for each in data["playlists"][0]["songs"]] == ["Yellow", "Don't Panic"]
    assert data["collaborations"] == [{"id": theirs, "name": "Theirs", "username": friend.username}]
    done = [(each["playlistId"], each["title"], each["action"]) for each in data["activities"]]
    assert done == [(mine[0], "Yellow", "add"), (mine[0], "Don't Panic", "add"), (theirs, "Yellow", "add")]
    assert data["likes"] == [{"id": album, "name": "Parachutes"}]
    assert [(each["id"], each["targetEmail"]) for each in data["exports"]] == [(export_id, "me@mail.test")]


def test_the_name_of_a_deleted_user_is_free_and_nothing_comes_with_it(client: Any) -> None:
    leaver = client.register("leaver")
    client.playlist(leaver)
    client.call("DELETE", "/users/me", {"password": "secret"}, leaver)
    login = {"username": leaver.username, "password": "another secret"}

    user_id = client.created("/users", login | {"fullname": "Somebody Else"})["userId"]

    tokens = client.created("/authentications", login)
    headers = {"Authorization": f"Bearer {tokens['accessToken']}"}
    assert user_id != leaver.id
    assert client.call("GET", "/playlists", headers=headers).json()["data"]["playlists"] == []
