from openmusic_kit.errors import Forbidden, NotFound


class PlaylistNotFound(NotFound):
    message = "There is no such playlist"


class CoverNotFound(NotFound):
    message = "The playlist has no cover"


class NotYourPlaylist(Forbidden):
    message = "This playlist is not yours"


class OwnerOnly(Forbidden):
    message = "Only the owner of the playlist may do this"
