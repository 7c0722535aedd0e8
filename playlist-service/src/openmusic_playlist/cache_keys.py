def songs_key(playlist_id: str) -> str:
    """Names the cached songs of a playlist, and who may read them."""
    return f"songs:{playlist_id}"
