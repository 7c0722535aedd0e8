from collections.abc import Iterable

from openmusic_kit.errors import Conflict, NotFound


class SongNotFound(NotFound):
    message = "There is no such song"


class SongsNotFound(NotFound):
    message = "Some of these songs were not found"

    def __init__(self, song_ids: Iterable[str]) -> None:
        super().__init__()
        self.data = {"notFound": list(song_ids)}


class AlreadyInPlaylist(Conflict):
    message = "The song is in this playlist already"


class NotInPlaylist(NotFound):
    message = "The song is not in this playlist"
