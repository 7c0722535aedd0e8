"""A user who comes, makes one thing of each kind, and deletes the account: all of it goes, or nothing."""

from typing import TYPE_CHECKING

from clients import User
from models import Leaver

if TYPE_CHECKING:
    from pairs import Pair


async def an_account_is_deleted(pair: "Pair") -> None:
    username = pair.name("leaver").replace(" ", "_")
    login = {"username": username, "password": "secret"}
    registered = await pair.write("POST", "/users", login | {"fullname": "A Leaver"})
    if registered.status != 201:
        return
    logged_in = await pair.write("POST", "/authentications", login)
    if logged_in.status != 201:
        return
    user = User(registered.data["userId"], username, logged_in.data["accessToken"])
    leaver = Leaver(user.id, username, {("auth", "refresh_tokens")})
    await _make_things(pair, user, leaver)
    leaver.gone.write(True, await pair.write("DELETE", "/users/me", {"password": "secret"}, user))
    pair.leavers.append(leaver)
    if leaver.gone.certain:
        again = await pair.client.ask("POST", "/authentications", login, gateway=pair.reads.gateway)
        if not again.failed and again.status != 401:
            pair.client.journal.lost.append(f"{username} has left and can log in ({again.status})")


async def _make_things(pair: "Pair", user: User, leaver: Leaver) -> None:
    album = await pair.write("POST", "/albums", {"name": pair.name("Album of a leaver"), "year": 2008})
    if album.status == 201:
        liked = await pair.write("POST", f"/albums/{album.data['albumId']}/likes", None, user)
        leaver.made(("catalog", "album_likes"), liked)
    playlist = await pair.write("POST", "/playlists", {"name": pair.name("Playlist of a leaver")}, user)
    leaver.made(("playlist", "playlists"), playlist)
    if playlist.status == 201:
        path, address = f"/export/playlists/{playlist.data['playlistId']}", f"{leaver.username}@listener.test"
        exported = await pair.write("POST", path, {"targetEmail": address}, user)
        leaver.made(("export", "export_jobs"), exported)
