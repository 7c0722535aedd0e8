"""That the checker finds what it looks for; a fault that it overlooks would show nowhere."""

import json
from typing import Any

import pytest
from clients import BROKEN, Answer, Journal, User
from models import Album, Playlist, Song, Value

pytestmark = pytest.mark.telling

ALICE, BOB = User("user-a", "alice", ""), User("user-b", "bob", "")
DONE, UNKNOWN = Answer(201, b"{}"), Answer(BROKEN, b"")


@pytest.fixture
def journal() -> Journal:
    return Journal()


def playlist_with(*ids: str) -> Playlist:
    playlist = Playlist("playlist-1", "Mine", ALICE, BOB)
    for each in ids:
        playlist.add(Song(each, Value(each)), ALICE, DONE)
    return playlist


def answer(data: Any) -> Answer:
    return Answer(200, json.dumps({"data": data}).encode())


def songs(*ids: str) -> Answer:
    return answer({"playlist": {"songs": [{"id": each, "title": each} for each in ids]}})


def activities(*added: str) -> Answer:
    return answer({"activities": [{"username": "alice", "title": each, "action": "add"} for each in added]})


@pytest.mark.parametrize("shown", [songs("1"), songs("2", "1"), songs("1", "2", "3"), songs("1", "2", "2")])
def test_an_acknowledged_song_is_shown_once_and_in_its_place(journal: Journal, shown: Answer) -> None:
    playlist = playlist_with("1", "2")
    playlist.check_songs(ALICE, songs("1", "2"), journal)
    assert journal.lost == []
    playlist.check_songs(ALICE, shown, journal)
    assert len(journal.lost) == 1


def test_a_song_in_doubt_may_be_there_or_not_but_never_without_its_activity(journal: Journal) -> None:
    playlist = playlist_with("1")
    playlist.add(Song("2", Value("2")), ALICE, UNKNOWN)
    for shown, noted in [(songs("1"), activities("1")), (songs("1", "2"), activities("1", "2"))]:
        playlist.check_songs(ALICE, shown, journal)
        playlist.check_activities(ALICE, noted, journal)
        playlist.check_agreement(shown, noted, journal)
    assert (journal.lost, journal.halves) == ([], [])

    playlist.check_agreement(songs("1", "2"), activities("1"), journal)
    playlist.check_agreement(songs("1"), activities("1", "2"), journal)
    assert len(journal.halves) == 2


def test_who_was_shut_out_sees_nothing(journal: Journal) -> None:
    playlist = playlist_with("1")
    playlist.check_songs(BOB, Answer(403, b"{}"), journal)
    assert journal.wrong == []
    playlist.check_songs(BOB, songs("1"), journal)
    assert len(journal.wrong) == 1


def test_an_older_name_or_cover_and_a_forgotten_like_are_noticed(journal: Journal) -> None:
    album = Album("album-1", Value("Before"), likes={"user-a": Value(False)})
    album.name.write("After", DONE)
    album.cover.write((1, 2, 3), DONE)
    album.likes["user-a"].write(True, DONE)
    shown = {"id": "album-1", "name": "After", "coverUrl": "/covers/1", "songs": []}
    album.check(answer({"album": shown}), journal)
    album.check_likes(answer({"likes": 1}), journal)
    assert journal.lost == []

    album.check(answer({"album": {**shown, "name": "Before"}}), journal)
    album.check(answer({"album": {**shown, "coverUrl": None}}), journal)
    album.check_likes(answer({"likes": 0}), journal)
    album.check(Answer(404, b"{}"), journal)
    assert len(journal.lost) == 4
