"""Names of the cached answers, in one place because a change of a song alters an album's."""


def album_key(album_id: str) -> str:
    return f"album:{album_id}"


def likes_key(album_id: str) -> str:
    return f"likes:{album_id}"
