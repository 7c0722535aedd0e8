from openmusic_kit.errors import NotFound


class AlbumNotFound(NotFound):
    message = "There is no such album"
