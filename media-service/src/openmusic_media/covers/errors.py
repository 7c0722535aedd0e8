from openmusic_kit.errors import Invalid, NotFound, TooLarge


class CoverMissing(Invalid):
    message = "cover: an image file is required"


class NotAnImage(Invalid):
    message = "cover: must be a whole PNG, JPEG, WebP, GIF, AVIF or APNG image"


class ImageTooBig(Invalid):
    message = "cover: the image has too many pixels"


class CoverTooLarge(TooLarge):
    message = "cover: must have at most 512000 bytes"


class AlbumNotFound(NotFound):
    message = "There is no such album"


class CoverNotFound(NotFound):
    message = "There is no such cover"
