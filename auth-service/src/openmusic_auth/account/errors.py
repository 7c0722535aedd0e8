from openmusic_kit.errors import Forbidden, NotFound


class WrongPassword(Forbidden):
    message = "The password is wrong"


class SessionNotFound(NotFound):
    message = "There is no such session"
