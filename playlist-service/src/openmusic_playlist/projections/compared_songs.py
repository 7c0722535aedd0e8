"""Songs that the catalogue need not be asked for again."""

from collections import OrderedDict

from openmusic_playlist.projections.models import SongCopy

CAPACITY = 10_000  # songs


class ComparedSongs:
    """What the catalogue said of songs in the current incarnation of the pending changes.

    Every change that it acknowledges later is pending until the copy has it, so an active copy that is at least as new
    is current for a reader that caught up. In another incarnation that no longer holds: changes may have been lost.
    """

    def __init__(self) -> None:
        self._incarnation = ""
        self._songs: OrderedDict[str, SongCopy] = OrderedDict()

    def get(self, song_id: str, incarnation: str) -> SongCopy | None:
        return self._songs.get(song_id) if incarnation == self._incarnation else None

    def add(self, song: SongCopy, incarnation: str) -> None:
        """``incarnation`` is that of before the catalogue was asked."""
        if incarnation != self._incarnation:
            self._incarnation = incarnation
            self._songs.clear()
        self._songs[song.id] = song
        self._songs.move_to_end(song.id)
        if len(self._songs) > CAPACITY:
            self._songs.popitem(last=False)
