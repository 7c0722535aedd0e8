"""Our ids in files: as they are, or as the URNs that exports write where a URI belongs."""

from openmusic_kit.ids import is_id

_URN = "urn:openmusic:"


def song_id_in(text: str) -> str:
    """The id, or an empty text: a URI of another service is no id of ours."""
    song_id = text.strip().removeprefix(_URN)
    return song_id if is_id("song", song_id) else ""
