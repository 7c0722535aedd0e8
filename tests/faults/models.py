"""What clients know of what they wrote, and what they may therefore see.

A write that was answered is certain. After one whose outcome is unknown, either is right: it was carried out, or not,
or will be when a part that hung goes on. From then on a client only reads what it wrote to.
"""

import io
import itertools
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, NamedTuple, TypeVar

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
        self.ever = [value]

    @property
    def certain(self) -> bool:
        return len(self.possible) == 1

    @property
    def last(self) -> T:
        return self.possible[-1]

    def write(self, value: T, answer: Answer) -> None:
        self.possible = [self.possible[0], value] if answer.failed else [value]
        self.ever.append(value)


@dataclass(eq=False)
class Song:
    id: str
    title: Value[str]
    gone: Value[bool] = field(default_factory=lambda: Value(False))

    @property
    def certain(self) -> bool:
        return self.title.certain and self.gone.certain

    def check(self, answer: Answer, journal: Journal) -> None:
        if answer.failed:
            return
        if (answer.status == 404) not in self.gone.possible:
            journal.lost.append(f"song {self.id}: {answer.status}, gone: {self.gone.possible}")
        elif answer.status == 200 and answer.data["song"]["title"] not in self.title.possible:
            journal.lost.append(f"song {self.id} is {answer.data['song']['title']}, not {self.title.possible}")

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


class Change(NamedTuple):
    """Of a playlist, by one of those who may change it."""

    action: Literal["add", "delete", "move"]
    song: Song
    username: str
    after: Song | None = None
    """The song that a moved one follows; None puts it first."""


@dataclass(frozen=True)
class State:
    """What a playlist may hold; ``activities`` are the changes that led to it but for moves."""

    songs: tuple[Song, ...] = ()
    activities: tuple[Change, ...] = ()

    def after(self, changes: Iterable[Change]) -> "State":
        songs, noted = list(self.songs), list(self.activities)
        for change in changes:
            if change.action == "add":
                songs.append(change.song)
            else:
                songs.remove(change.song)
            if change.action == "move":
                songs.insert(songs.index(change.after) + 1 if change.after else 0, change.song)
            else:
                noted.append(change)
        return State(tuple(songs), tuple(noted))

    def shows_songs(self, shown: list[dict[str, str]]) -> bool:
        """In their order, each by its name; only a song whose deletion is in doubt may be there or not."""
        in_doubt = {song.id for song in self.songs if not song.gone.certain}
        there = [song for song in self.songs if song.gone.possible == [False]]
        titles = {song.id: song.title.possible for song in self.songs}
        return [each["id"] for each in shown if each["id"] not in in_doubt] == [song.id for song in there] and all(
            each["title"] in titles[each["id"]] for each in shown
        )

    def shows_activities(self, shown: list[dict[str, str]]) -> bool:
        """Each under a name that its song had once."""
        return [(each["username"], each["action"]) for each in shown] == [
            (change.username, change.action) for change in self.activities
        ] and all(each["title"] in change.song.title.ever for each, change in zip(shown, self.activities, strict=True))


@dataclass
class Playlist:
    id: str
    name: str
    owner: User
    friend: User
    possible: list[State] = field(default_factory=lambda: [State()])
    shared: Value[bool] = field(default_factory=lambda: Value(False))
    gone: Value[bool] = field(default_factory=lambda: Value(False))
    exports: list[tuple[str, bool]] = field(default_factory=list)
    """Address of each, and whether it was acknowledged."""

    @property
    def certain(self) -> bool:
        return len(self.possible) == 1 and self.shared.certain and self.gone.certain

    @property
    def songs(self) -> tuple[Song, ...]:
        return self.possible[-1].songs

    def write(self, change: Change, answer: Answer) -> None:
        self.write_at_once([(change, answer)])

    def write_together(self, changes: Sequence[Change], answer: Answer) -> None:
        """What was asked for by one request takes place completely, in this order, or not at all."""
        done = [state.after(changes) for state in self.possible]
        self.possible = [*self.possible, *done] if answer.failed else done

    def write_at_once(self, changes: Sequence[tuple[Change, Answer]]) -> None:
        """What was asked for at the same time, and not refused, took place in any order."""
        acknowledged = [change for change, answer in changes if not answer.failed]
        in_doubt = [change for change, answer in changes if answer.failed]
        made = [
            order
            for number in range(len(in_doubt) + 1)
            for some in itertools.combinations(in_doubt, number)
            for order in itertools.permutations([*acknowledged, *some])
        ]
        self.possible = [state.after(order) for state in self.possible for order in made]

    def narrow(self, shown: Answer, journal: Journal) -> None:
        """To the order that the activities show, after changes of which each was acknowledged or refused."""
        if shown.status == 200:
            fitting = [state for state in self.possible if state.shows_activities(shown.data["activities"])]
            if not fitting:
                journal.lost.append(f"activities of {self.id}: {shown.content!r}")
            self.possible = fitting or self.possible

    def narrow_to_songs(self, shown: Answer) -> None:
        """To the orders that a read shows which was checked; moves leave no activity."""
        if shown.status == 200:
            songs = shown.data["playlist"]["songs"]
            fitting = dict.fromkeys(state for state in self.possible if state.shows_songs(songs))
            self.possible = list(fitting) or self.possible

    def settle(self, song: Song, shown: Answer, journal: Journal) -> None:
        """A song that was added while its adder was removed, as a read shows it that began when this was answered:

        nothing that the adder asked for takes place after it.
        """
        if shown.status == 200:
            there = song.id in {each["id"] for each in shown.data["playlist"]["songs"]}
            fitting = [state for state in self.possible if (song in state.songs) == there]
            if not fitting:
                journal.wrong.append(f"playlist {self.id}: {song.id} is there: {there}, when its adder was removed")
            self.possible = fitting or self.possible

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
        if self.check_access(reader, answer, journal):
            shown = answer.data["playlist"]["songs"]
            if not any(state.shows_songs(shown) for state in self.possible):
                journal.lost.append(f"playlist {self.id} (cached: {answer.cached}): {self._difference(shown)}")

    def check_activities(self, reader: User, answer: Answer, journal: Journal) -> None:
        if self.check_access(reader, answer, journal):
            shown = answer.data["activities"]
            if not any(state.shows_activities(shown) for state in self.possible):
                journal.lost.append(f"activities of {self.id} (cached: {answer.cached}): {len(shown)} shown")

    def check_agreement(self, songs: Answer, activities: Answer, journal: Journal) -> None:
        """At last, a change whose outcome was unknown is there with its activity, or both are not."""
        if songs.status != 200 or activities.status != 200:
            return
        shown, noted = songs.data["playlist"]["songs"], activities.data["activities"]
        if not any(state.shows_songs(shown) and state.shows_activities(noted) for state in self.possible):
            journal.halves.append(f"playlist {self.id}: {self._difference(shown)}, {len(noted)} activities")

    def _difference(self, shown: list[dict[str, str]]) -> str:
        titles = {each["id"]: each["title"] for each in shown}
        known = {song.id: song for song in self.songs}
        there = {each for each, song in known.items() if song.gone.possible == [False]}
        wrong = {
            each: f"{title}, not {known[each].title.possible}, gone: {known[each].gone.possible}"
            for each, title in titles.items()
            if each in known and (title not in known[each].title.possible or False not in known[each].gone.possible)
        }
        missing, extra = sorted(there - titles.keys()), sorted(titles.keys() - known.keys())
        return json.dumps({"missing": missing, "extra": extra, "outdated": wrong, "shown": len(shown)})


class Copy(NamedTuple):
    """A playlist that may have been made although its id never came."""

    name: str
    songs: tuple[Song, ...]

    def check(self, shown: Collection[str], journal: Journal) -> None:
        """``shown`` are the ids of its songs: all of them, but for those that were deleted since."""
        missing = {song.id for song in self.songs if song.gone.possible == [False]} - set(shown)
        extra = set(shown) - {song.id for song in self.songs}
        if missing or extra:
            journal.halves.append(f"the copy {self.name}: missing {sorted(missing)}, extra {sorted(extra)}")


@dataclass
class Leaver:
    """One who deletes the account."""

    id: str
    username: str
    has: set[tuple[str, str]] = field(default_factory=set)
    """Services and their tables with a row of the user's, as far as this was acknowledged."""
    gone: Value[bool] = field(default_factory=lambda: Value(False))

    def made(self, table: tuple[str, str], answer: Answer) -> None:
        if answer.status == 201:
            self.has.add(table)

    def check(self, there: bool, found: set[tuple[str, str]], journal: Journal) -> None:
        """Everything goes with the account, and nothing without it. ``found`` are tables with rows of the user's."""
        if there not in {not gone for gone in self.gone.possible}:
            journal.lost.append(f"account of {self.username}: there: {there}, gone: {self.gone.possible}")
        if missing := there and self.has - found:
            journal.halves.append(f"account of {self.username}: it is there without {missing}")
        if not there and found:
            journal.halves.append(f"account of {self.username}: it is gone, and its {found} are not")
