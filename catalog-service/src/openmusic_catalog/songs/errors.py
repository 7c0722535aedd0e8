from openmusic_kit.errors import NotFound


class SongNotFound(NotFound):
    message = "There is no such song"
