from openmusic_kit.errors import Invalid


class FormatUnknown(Invalid):
    message = (
        "The format of the file is not known: name it in Content-Type, or by ?format=json, csv, m3u8, xspf or jspf"
    )


class FileInvalid(Invalid):
    """``problem`` begins with the place where it is."""

    message = "The file cannot be read"

    def __init__(self, problem: str) -> None:
        super().__init__(f"{type(self).message}: {problem}")
