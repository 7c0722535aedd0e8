"""A story through the package that openapi-python-client makes of the public document: ``story.py URL``."""

import sys
import uuid

from openmusic_client import AuthenticatedClient, Client
from openmusic_client.api.account import get_account
from openmusic_client.api.albums import add_album, get_album
from openmusic_client.api.authentications import log_in, log_out
from openmusic_client.api.playlists import add_playlist, add_playlist_songs, get_playlist_songs
from openmusic_client.api.songs import add_song, get_song
from openmusic_client.api.users import register
from openmusic_client.models import (
    AlbumPayload,
    Fail,
    Login,
    PlaylistPayload,
    RefreshTokenPayload,
    Registration,
    SongPayload,
    SongsPayload,
)

url = sys.argv[1]
anybody = Client(base_url=url, httpx_args={"trust_env": False})
name = f"typed_{uuid.uuid4().hex}"
user_id = register.sync(client=anybody, body=Registration(username=name, password="secret", fullname="T")).data.user_id
tokens = log_in.sync(client=anybody, body=Login(username=name, password="secret")).data
me = AuthenticatedClient(base_url=url, token=tokens.access_token, httpx_args={"trust_env": False})
assert get_account.sync(client=me).data.user.id == user_id

album_id = add_album.sync(client=anybody, body=AlbumPayload(name="X&Y", year=2005)).data.album_id
song = SongPayload(title="Talk", year=2005, genre="Rock", performer="Coldplay", album_id=album_id)
song_id = add_song.sync(client=anybody, body=song).data.song_id
assert get_album.sync(album_id, client=anybody).data.album.songs[0].id == song_id
assert get_album.sync(album_id, client=anybody).data.album.cover_url is None
missing = get_song.sync("song-none", client=anybody)
assert isinstance(missing, Fail)
assert missing.message

key = uuid.uuid4().hex
made = [add_playlist.sync(client=me, body=PlaylistPayload(name="Typed"), idempotency_key=key) for _ in range(2)]
playlist_id = made[0].data.playlist_id
assert made[1].data.playlist_id == playlist_id
add_playlist_songs.sync(playlist_id, client=me, body=SongsPayload(song_ids=[song_id]))
assert [each.title for each in get_playlist_songs.sync(playlist_id, client=me).data.playlist.songs] == ["Talk"]
out = log_out.sync_detailed(client=anybody, body=RefreshTokenPayload(refresh_token=tokens.refresh_token))
assert out.status_code == 200
print("played")
