from openmusic_kit.errors import Invalid, Unauthenticated


class WrongCredentials(Unauthenticated):
    message = "The username or the password is wrong"


class RefreshTokenInvalid(Invalid):
    message = "The refresh token is not valid"
