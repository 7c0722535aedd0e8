"""What clients know of what they wrote, and what they may therefore see.

A write that was answered is certain. After one whose outcome is unknown, either is right: it was carried out, or not,
or will be when a part that hung goes on. From then on a client only reads what it wrote to.
"""

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from clients import Answer, Journal, User
from PIL import Image

T = TypeVar("T")
Colour = tuple[int, int, int]


def picture(colour: Colour) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(target, "PNG")
    return target.getvalue()


def colour_of(content: bytes) -> Any:
    with Image.open(io.BytesIO(content)) as image:
        return image.convert("RGB").getpixel((3, 3))


class Value(Generic[T]):
    """One thing that is certain, or two of which nobody knows which."""

    def __init__(self, value: T) -> None:
        self.possible = [value]

    @property
    def certain(self) -> bool:
        return len(self.possible) == 1

    @property
    def last(self) -> T:
        return self.possible[-1]

    def write(self, value: T, answer: Answer) -> None:
        self.possible = [self.possible[0], value] if answer.failed else [value]


@dataclass
class Song:
    id: str
    title: Value[str]
    gone: Value[bool] = field(default_factory=lambda: Value(False))

    @property
    def certain(self) -> bool:
        return self.title.certain and self.gone.certain

    def fields(self, album_id: str | None, title: str) -> dict[str, Any]:
        return {"title": title, "year": 2008, "genre": "Pop", "performer": "Coldplay", "duration": 99,
                "albumId": album_id}  # fmt: skip


@dataclass
class Album:
    id: str
    name: Value[str]
    songs: list[Song] = field(default_factory=list)
    songs_in_doubt: list[str] = field(default_factory=list)
    """Titles of those whose id never came back."""
    cover: Value[Colour | None] = field(default_factory=lambda: Value(None))
    uploads_in_doubt: int = 0
    likes: dict[str, Value[bool]] = field(default_factory=dict)
    gone: Value[bool] = field(default_factory=lambda: Value(False))

    @property
    def certain(self) -> bool:
        values = [self.name.certain, self.cover.certain, self.gone.certain, not self.songs_in_doubt]
        return all([*values, *(each.certain for each in self.songs), *(each.certain for each in self.likes.values())])

    def check(self, answer: Answer, journal: Journal) -> None:
        if answer.failed:
            return
        if answer.status == 404:
            if True not in self.gone.possible:
                journal.lost.append(f"album {self.id} is gone")
            return
        if False not in self.gone.possible:
            journal.wrong.append(f"album {self.id} is still there")
            return
        shown = answer.data["album"]
        if shown["name"] not in self.name.possible:
            journal.lost.append(f"album {self.id} is called {shown['name']}, not {self.name.possible}")
        if (shown["coverUrl"] is not None) not in {each is not None for each in self.cover.possible}:
            journal.lost.append(f"album {self.id} has the cover {shown['coverUrl']}, not {self.cover.possible}")
        self._check_songs(shown["songs"], journal)

    def _check_songs(self, shown: list[dict[str, str]], journal: Journal) -> None:
        titles = {song["id"]: song["title"] for song in shown}
        for song in self.songs:
            title = titles.pop(song.id, None)
            if (title is None) not in song.gone.possible:
                journal.lost.append(f"album {self.id}: song {song.id} is {title}, gone: {song.gone.possible}")
            elif title is not None and title not in song.title.possible:
                journal.lost.append(f"album {self.id}: song {song.id} is {title}, not {song.title.possible}")
        others = sorted(titles.values())
        if len(others) != len(set(others)) or not set(others) <= set(self.songs_in_doubt):
            journal.wrong.append(f"album {self.id} has songs that nobody made: {others}")

    def check_likes(self, answer: Answer, journal: Journal) -> None:
        if answer.failed or True in self.gone.possible:
            return
        least = sum(all(each.possible) for each in self.likes.values())
        most = sum(any(each.possible) for each in self.likes.values())
        if answer.status != 200 or not least <= answer.data["likes"] <= most:
            journal.lost.append(
                f"likes of {self.id} (cached: {answer.cached}): {answer.content!r}, not {least}..{most}"
            )


@dataclass(frozen=True)
class Entry:
    """Of the activities: whether a song was added, or deleted."""

    username: str
    title: str
    action: str


@dataclass
class Playlist:
    id: str
    name: str
    owner: User
    friend: User
    songs: list[Song] = field(default_factory=list)
    activities: list[Entry] = field(default_factory=list)
    pending: tuple[str, Song, Entry] | None = None
    """The change of which nobody knows whether it was made: ``add`` or ``delete``, which song, and its activity."""
    shared: Value[bool] = field(default_factory=lambda: Value(False))
    gone: Value[bool] = field(default_factory=lambda: Value(False))
    exports: list[tuple[str, bool]] = field(default_factory=list)
    """Address of each, and whether it was acknowledged."""

    @property
    def certain(self) -> bool:
        return self.pending is None and self.shared.certain and self.gone.certain

    def add(self, song: Song, user: User, answer: Answer) -> None:
        self._change("add", song, user, answer)

    def delete(self, song: Song, user: User, answer: Answer) -> None:
        self._change("delete", song, user, answer)

    def _change(self, action: str, song: Song, user: User, answer: Answer) -> None:
        entry = Entry(user.username, song.title.last, action)
        if answer.failed:
            self.pending = (action, song, entry)
            return
        self.songs = [*self.songs, song] if action == "add" else [each for each in self.songs if each is not song]
        self.activities.append(entry)

    def check_access(self, reader: User, answer: Answer, journal: Journal) -> bool:
        """Whether the answer shows the playlist."""
        may_read = {True} if reader is self.owner else set(self.shared.possible)
        if answer.failed:
            return False
        if answer.status == 404:
            if True not in self.gone.possible:
                journal.lost.append(f"playlist {self.id} is gone")
        elif answer.status == 403:
            if False not in may_read:
                journal.lost.append(f"playlist {self.id}: its friend is shut out")
        elif answer.status != 200 or False not in self.gone.possible or True not in may_read:
            journal.wrong.append(f"playlist {self.id}: {answer.status} for {reader.username}: {answer.content[:200]!r}")
        return answer.status == 200

    def check_songs(self, reader: User, answer: Answer, journal: Journal) -> None:
        if not self.check_access(reader, answer, journal):
            return
        shown = [song["id"] for song in answer.data["playlist"]["songs"]]
        if not any(self._fits(shown, songs) for songs in self._possible_songs()):
            journal.lost.append(f"playlist {self.id} (cached: {answer.cached}): {self._difference(shown)}")

    def check_activities(self, reader: User, answer: Answer, journal: Journal) -> None:
        if not self.check_access(reader, answer, journal):
            return
        shown = [Entry(each["username"], each["title"], each["action"]) for each in answer.data["activities"]]
        entries = [_without_title(each) for each in shown]
        if entries not in [[_without_title(each) for each in possible] for possible in self._possible_activities()]:
            journal.lost.append(f"activities of {self.id} (cached: {answer.cached}): {len(shown)} shown")

    def check_agreement(self, songs: Answer, activities: Answer, journal: Journal) -> None:
        """At last, a change whose outcome was unknown is there with its activity, or both are not."""
        if self.pending is None or songs.status != 200 or activities.status != 200:
            return
        action, song, _ = self.pending
        shown = song.id in {each["id"] for each in songs.data["playlist"]["songs"]}
        made = shown if action == "add" else not shown
        noted = len(activities.data["activities"]) > len(self.activities)
        if made != noted and True not in song.gone.possible:
            journal.halves.append(f"playlist {self.id}: {action} made: {made}, in its activities: {noted}")

    def _possible_songs(self) -> Iterable[list[Song]]:
        yield self.songs
        if self.pending is not None:
            action, song, _ = self.pending
            yield [*self.songs, song] if action == "add" else [each for each in self.songs if each is not song]

    def _possible_activities(self) -> Iterable[list[Entry]]:
        yield self.activities
        if self.pending is not None:
            yield [*self.activities, self.pending[2]]

    @staticmethod
    def _fits(shown: list[str], songs: list[Song]) -> bool:
        """In the order added; songs that the catalogue deleted leave a moment later."""
        leaving = {song.id for song in songs if True in song.gone.possible}
        return [each for each in shown if each not in leaving] == [each.id for each in songs if each.id not in leaving]

    def _difference(self, shown: list[str]) -> str:
        known = [song.id for song in self.songs]
        missing, extra = set(known) - set(shown), set(shown) - set(known)
        return json.dumps({"missing": sorted(missing), "extra": sorted(extra), "shown": len(shown)})


def _without_title(entry: Entry) -> tuple[str, str]:
    """A title may be the one before a renaming."""
    return entry.username, entry.action
