from openmusic_kit.errors import Conflict, NotFound


class UsernameTaken(Conflict):
    message = "This username is taken"


class UserNotFound(NotFound):
    message = "There is no such user"


class UserChanged(Conflict):
    message = "The password of this user has changed meanwhile"
