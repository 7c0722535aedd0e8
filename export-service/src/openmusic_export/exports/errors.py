from openmusic_kit.errors import Forbidden, NotFound


class ExportNotFound(NotFound):
    message = "There is no such export"


class PlaylistNotFound(NotFound):
    message = "There is no such playlist"


class OwnerOnly(Forbidden):
    message = "Only the owner of a playlist may export it"
