"""Tags of the answers that gateways may keep; docs/architecture.md lists them, as the media service uses one too."""


def album_tag(album_id: str) -> str:
    return f"album:{album_id}"


def likes_tag(album_id: str) -> str:
    return f"likes:{album_id}"


def song_tag(song_id: str) -> str:
    return f"song:{song_id}"
