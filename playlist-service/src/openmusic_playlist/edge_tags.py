"""Tags of the answers that gateways may keep."""


def playlist_tag(playlist_id: str) -> str:
    """Its songs and activities, for everyone who may read them."""
    return f"playlist:{playlist_id}"


def playlists_tag(user_id: str) -> str:
    """The list of what a user owns or shares."""
    return f"playlists:{user_id}"


def song_tag(song_id: str) -> str:
    """What shows the song; the catalogue purges it."""
    return f"song:{song_id}"
