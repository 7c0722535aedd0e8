from openmusic_kit.errors import Conflict, NotFound


class AlreadyLiked(Conflict):
    message = "You like this album already"


class LikeNotFound(NotFound):
    message = "You do not like this album"
