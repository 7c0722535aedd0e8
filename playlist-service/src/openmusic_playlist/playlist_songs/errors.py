from openmusic_kit.errors import Conflict, NotFound


class SongNotFound(NotFound):
    message = "There is no such song"


class AlreadyInPlaylist(Conflict):
    message = "The song is in this playlist already"


class NotInPlaylist(NotFound):
    message = "The song is not in this playlist"
