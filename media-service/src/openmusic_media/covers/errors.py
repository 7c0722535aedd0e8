from openmusic_kit.errors import Forbidden, Invalid, NotFound, TooLarge


class NotAForm(Invalid):
    message = "The body must be a multipart form with the image in its file field cover"


class CoverMissing(Invalid):
    message = "cover: an image file is required"


class SeveralCovers(Invalid):
    message = "cover: only one file can be the cover"


class NotAnImage(Invalid):
    message = "cover: must be a whole PNG, JPEG, WebP, GIF, AVIF or APNG image"


class ImageTooBig(Invalid):
    message = "cover: the image is too big: at most 25000000 pixels in a frame, 50000000 in all frames, and 1000 frames"


class CoverTooLarge(TooLarge):
    message = "cover: must have at most 512000 bytes"


class AlbumNotFound(NotFound):
    message = "There is no such album"


class PlaylistNotFound(NotFound):
    message = "There is no such playlist"


class OwnerOnly(Forbidden):
    message = "Only the owner of the playlist may do this"


class UploadNotFound(NotFound):
    message = "Nothing was uploaded there, or it was completed already"


class NoDirectUploads(NotFound):
    message = "Clients cannot reach the storage of this installation: send the cover to POST /albums/{id}/covers"


class CoverNotFound(NotFound):
    message = "There is no such cover"
