"""The story that the collection plays: each operation once at least, in an order in which all of them succeed."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Step:
    """A request. ``{{name}}`` in it is a variable of the collection."""

    operation: str
    """Its id in the document."""
    body: Any = None
    name: str = ""
    """In place of the operation's summary."""
    query: dict[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    """JavaScript that runs before the request."""
    saves: dict[str, str] | None = None
    """Variables, and what they are set to in JavaScript; None saves each id and token of the response by its name."""
    bearer: str = "accessToken"
    """The variable with the access token, where one is needed."""


def _new_name(variable: str, kind: str) -> tuple[str]:
    return (f'pm.collectionVariables.set("{variable}", "{kind}_" + pm.variables.replaceIn("{{{{$guid}}}}"));',)


def _data(path: str) -> str:
    return f"pm.response.json().data.{path}"


LOGIN = {"username": "{{username}}", "password": "secret"}
FRIEND_LOGIN = {"username": "{{friendName}}", "password": "secret"}
REFRESH_TOKEN = {"refreshToken": "{{refreshToken}}"}
SONG = {"title": "Talk", "year": 2005, "genre": "Rock", "performer": "Coldplay", "duration": 311}
COLLABORATION = {"playlistId": "{{playlistId}}", "userId": "{{friendId}}"}

LEFT_OUT = {"complete_upload": "before it, the client sends a form to the storage"}
"""Operations that a collection cannot play, and why."""

STORY = {
    "What runs here": [
        Step("get_overview"),
        Step("get_version"),
        Step("get_document"),
        Step("get_events"),
        Step("get_liveness"),
        Step("get_readiness"),
        Step("get_key_set"),
    ],
    "Account": [
        Step("register", LOGIN | {"fullname": "A Listener"}, before=_new_name("username", "listener")),
        Step("log_in", LOGIN),
        Step("get_user"),
        Step("get_account"),
        Step("find_users", query={"username": "{{username}}"}),
        Step("update_account", {"fullname": "Another Name"}),
        Step("change_password", {"password": "secret", "newPassword": "secret"} | REFRESH_TOKEN),
        Step("refresh", REFRESH_TOKEN),
        Step(
            "register",
            FRIEND_LOGIN | {"fullname": "A Friend"},
            name="Register a friend",
            before=_new_name("friendName", "friend"),
            saves={"friendId": _data("userId")},
        ),
        Step("log_in", FRIEND_LOGIN, name="Log in as the friend", saves={"friendToken": _data("accessToken")}),
    ],
    "Albums and songs": [
        Step("add_album", {"name": "X&Y", "year": 2005}),
        Step("update_album", {"name": "X & Y", "year": 2005}),
        Step(
            "upload_cover",
            saves={
                "folder": 'pm.response.headers.get("Location").split("/")[2]',
                "file": 'pm.response.headers.get("Location").split("/").pop()',
            },
        ),
        Step("get_cover"),
        Step("begin_upload", saves={}),
        Step("add_song", SONG | {"albumId": "{{albumId}}"}),
        Step(
            "add_song",
            SONG | {"title": "Fix You", "albumId": "{{albumId}}"},
            name="Add a second song",
            saves={"secondSongId": _data("songId")},
        ),
        Step("get_song"),
        Step("update_song", SONG | {"title": "Talk (live)", "albumId": "{{albumId}}"}),
        Step("get_album"),
        Step("list_albums", query={"name": "X & Y"}),
        Step("search_songs", query={"title": "talk", "performer": "coldplay"}),
        Step("search", query={"q": "coldplay"}),
        Step("like_album"),
        Step("count_likes"),
        Step("unlike_album"),
    ],
    "Playlists": [
        Step("add_playlist", {"name": "For the road"}),
        Step("update_playlist", {"description": "Loud", "public": True}),
        Step("add_playlist_song", {"songId": "{{songId}}"}),
        Step("add_playlist_songs", {"songIds": ["{{secondSongId}}"]}),
        Step("reorder_playlist_songs", {"songId": "{{secondSongId}}", "after": None}),
        Step("upload_playlist_cover"),
        Step("get_playlist"),
        Step("delete_cover"),
        Step("get_playlist_songs"),
        Step("list_playlists"),
        Step("search_playlists", query={"q": "road"}),
        Step("copy_playlist", saves={"copyId": _data("playlistId")}),
        Step(
            "import_playlist",
            {"playlist": {"songs": [{"id": "{{songId}}"}, {"title": "Fix You", "performer": "Coldplay"}]}},
            query={"name": "Imported"},
            saves={"importedId": _data("playlistId")},
        ),
        Step("add_collaboration", COLLABORATION),
        Step("list_collaborators"),
        Step("leave_playlist", bearer="friendToken"),
        Step("add_collaboration", COLLABORATION, name="Add the friend again"),
        Step("delete_collaboration", COLLABORATION),
        Step("delete_playlist_songs", {"songIds": ["{{secondSongId}}"]}),
        Step("get_activities", query={"edits": "true"}),
    ],
    "Exports": [
        Step("download_playlist", query={"format": "csv"}),
        Step("export_playlist", {"targetEmail": "{{username}}@mail.test", "format": "xspf"}),
        Step("get_export"),
        Step("list_exports"),
    ],
    "The end": [
        Step("delete_playlist_song", {"songId": "{{songId}}"}),
        Step("delete_playlist"),
        Step("delete_song"),
        Step("delete_album"),
        Step("get_all_data"),
        Step("log_out", REFRESH_TOKEN),
        Step("log_in", LOGIN, name="Log in again"),
        Step("list_sessions", saves={"sessionId": _data("sessions[0].id")}),
        Step("end_session"),
        Step("end_all_sessions"),
        Step("delete_account", {"password": "secret"}),
    ],
}
