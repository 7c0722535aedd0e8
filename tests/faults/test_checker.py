"""That the checker finds what it looks for; a fault that it overlooks would show nowhere."""

import json
from typing import Any, Literal

import pytest
from clients import BROKEN, Answer, Journal, User
from models import Album, Change, Copy, Leaver, Playlist, Song, State, Value

pytestmark = pytest.mark.smoke

ALICE, BOB = User("user-a", "alice", ""), User("user-b", "bob", "")
DONE, UNKNOWN = Answer(201, b"{}"), Answer(BROKEN, b"")


@pytest.fixture
def journal() -> Journal:
    return Journal()


def change(action: Literal["add", "delete"], song: Song, user: User = ALICE) -> Change:
    return Change(action, song, user.username)


def song(name: str) -> Song:
    return Song(name, Value(name))


def playlist_with(*songs: Song) -> Playlist:
    playlist = Playlist("playlist-1", "Mine", ALICE, BOB)
    for each in songs:
        playlist.write(change("add", each), DONE)
    return playlist


def answer(data: Any) -> Answer:
    return Answer(200, json.dumps({"data": data}).encode())


def songs(*ids: str, **titles: str) -> Answer:
    shown = {**{each: each for each in ids}, **{each.removeprefix("s"): title for each, title in titles.items()}}
    return answer({"playlist": {"songs": [{"id": each, "title": title} for each, title in shown.items()]}})


def activities(*added: str, deleted: str = "", by: str = "alice") -> Answer:
    entries = [(each, "add") for each in added] + [(each, "delete") for each in deleted]
    return answer({"activities": [{"username": by, "title": each, "action": action} for each, action in entries]})


@pytest.mark.parametrize("shown", [songs("1"), songs("2", "1"), songs("1", "2", "3"), songs()])
def test_an_acknowledged_song_is_shown_once_and_in_its_place(journal: Journal, shown: Answer) -> None:
    playlist = playlist_with(song("1"), song("2"))
    playlist.check_songs(ALICE, songs("1", "2"), journal)
    assert journal.lost == []
    playlist.check_songs(ALICE, shown, journal)
    assert len(journal.lost) == 1


def test_a_song_that_is_shown_twice_is_noticed(journal: Journal) -> None:
    twice = answer({"playlist": {"songs": [{"id": "1", "title": "1"}] * 2}})
    playlist_with(song("1")).check_songs(ALICE, twice, journal)
    assert len(journal.lost) == 1


def test_a_song_in_doubt_may_be_there_or_not_but_never_without_its_activity(journal: Journal) -> None:
    playlist = playlist_with(song("1"))
    playlist.write(change("add", song("2")), UNKNOWN)
    for shown, noted in [(songs("1"), activities("1")), (songs("1", "2"), activities("1", "2"))]:
        playlist.check_songs(ALICE, shown, journal)
        playlist.check_activities(ALICE, noted, journal)
        playlist.check_agreement(shown, noted, journal)
    assert (journal.lost, journal.halves) == ([], [])

    playlist.check_agreement(songs("1", "2"), activities("1"), journal)
    playlist.check_agreement(songs("1"), activities("1", "2"), journal)
    assert len(journal.halves) == 2


def test_a_renamed_song_has_its_new_name_in_a_playlist_as_soon_as_the_renaming_was_answered(journal: Journal) -> None:
    renamed = song("1")
    playlist = playlist_with(renamed)
    renamed.title.write("new", DONE)
    playlist.check_songs(ALICE, songs(s1="new"), journal)
    assert journal.lost == []
    playlist.check_songs(ALICE, songs(s1="1"), journal)
    assert len(journal.lost) == 1
    renamed.title.write("newer", UNKNOWN)
    for title in ("new", "newer"):
        playlist.check_songs(ALICE, songs(s1=title), journal)
    assert len(journal.lost) == 1


def test_a_deleted_song_is_in_no_playlist_as_soon_as_the_deletion_was_answered(journal: Journal) -> None:
    deleted = song("1")
    playlist = playlist_with(deleted, song("2"))
    deleted.gone.write(True, UNKNOWN)
    playlist.check_songs(ALICE, songs("2"), journal)
    playlist.check_songs(ALICE, songs("1", "2"), journal)
    assert journal.lost == []
    deleted.gone.write(True, DONE)
    playlist.check_songs(ALICE, songs("2"), journal)
    assert journal.lost == []
    playlist.check_songs(ALICE, songs("1", "2"), journal)
    assert len(journal.lost) == 1


def test_an_activity_outlives_its_song_under_a_name_that_the_song_had(journal: Journal) -> None:
    deleted = song("1")
    playlist = playlist_with(deleted)
    deleted.title.write("new", DONE)
    deleted.gone.write(True, DONE)
    for title in ("1", "new"):
        playlist.check_activities(ALICE, activities(title), journal)
    assert journal.lost == []
    for shown in (activities("other"), activities(), activities("1", by="bob"), activities("1", "1")):
        playlist.check_activities(ALICE, shown, journal)
    assert len(journal.lost) == 4


def test_what_two_did_at_once_is_there_in_either_order_and_keeps_it(journal: Journal) -> None:
    playlist = playlist_with()
    first, second = song("1"), song("2")
    playlist.write_at_once([(change("add", first), DONE), (change("add", second, BOB), DONE)])
    for shown in (songs("1", "2"), songs("2", "1")):
        playlist.check_songs(ALICE, shown, journal)
    assert journal.lost == []
    playlist.check_songs(ALICE, songs("1"), journal)
    assert len(journal.lost) == 1

    entries = [("bob", "2"), ("alice", "1")]
    noted = answer({"activities": [{"username": by, "title": each, "action": "add"} for by, each in entries]})
    playlist.narrow(noted, journal)
    assert playlist.certain
    playlist.check_songs(ALICE, songs("2", "1"), journal)
    assert len(journal.lost) == 1
    playlist.check_songs(ALICE, songs("1", "2"), journal)
    assert len(journal.lost) == 2


def test_of_two_at_once_one_in_doubt_may_be_missing_and_the_acknowledged_may_not(journal: Journal) -> None:
    playlist = playlist_with()
    playlist.write_at_once([(change("add", song("1")), DONE), (change("add", song("2"), BOB), UNKNOWN)])
    for shown in (songs("1"), songs("1", "2"), songs("2", "1")):
        playlist.check_songs(ALICE, shown, journal)
    assert journal.lost == []
    playlist.check_songs(ALICE, songs("2"), journal)
    assert len(journal.lost) == 1


@pytest.mark.parametrize("added", [DONE, UNKNOWN])
def test_what_a_removed_friend_asked_for_does_not_come_true_later(journal: Journal, added: Answer) -> None:
    playlist, late = playlist_with(song("1")), song("2")
    playlist.write(change("add", late, BOB), added)
    playlist.settle(late, songs("1"), journal)
    playlist.check_songs(ALICE, songs("1", "2"), journal)
    assert len(journal.wrong + journal.lost) == 1


def test_what_a_removed_friend_was_refused_is_not_there(journal: Journal) -> None:
    playlist, refused = playlist_with(song("1")), song("2")
    playlist.settle(refused, songs("1"), journal)
    assert journal.wrong == []
    playlist.settle(refused, songs("1", "2"), journal)
    assert len(journal.wrong) == 1


def test_who_was_shut_out_sees_nothing(journal: Journal) -> None:
    playlist = playlist_with(song("1"))
    playlist.check_songs(BOB, Answer(403, b"{}"), journal)
    assert journal.wrong == []
    playlist.check_songs(BOB, songs("1"), journal)
    assert len(journal.wrong) == 1


def test_who_was_invited_sees_everything_and_a_deleted_playlist_nobody(journal: Journal) -> None:
    playlist = playlist_with(song("1"))
    playlist.shared.write(True, DONE)
    playlist.check_songs(BOB, Answer(403, b"{}"), journal)
    assert len(journal.lost) == 1
    playlist.gone.write(True, DONE)
    playlist.check_songs(ALICE, Answer(404, b"{}"), journal)
    assert len(journal.lost + journal.wrong) == 1
    playlist.check_songs(ALICE, songs("1"), journal)
    assert len(journal.wrong) == 1


def test_a_song_of_its_own_is_as_it_was_written(journal: Journal) -> None:
    known = song("1")
    known.title.write("new", DONE)
    known.check(answer({"song": {"title": "new"}}), journal)
    assert journal.lost == []
    known.check(answer({"song": {"title": "1"}}), journal)
    known.check(Answer(404, b"{}"), journal)
    known.gone.write(True, DONE)
    known.check(answer({"song": {"title": "new"}}), journal)
    assert len(journal.lost) == 3


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


def test_a_change_of_a_state_is_made_in_its_order() -> None:
    first, second = song("1"), song("2")
    state = State().after([change("add", first), change("add", second), change("delete", first)])
    assert state.songs == (second,)
    assert [each.action for each in state.activities] == ["add", "add", "delete"]


def moved(song: Song, after: Song | None) -> Change:
    return Change("move", song, ALICE.username, after)


def test_a_moved_song_is_in_its_new_place_and_leaves_no_activity(journal: Journal) -> None:
    first, second, third = song("1"), song("2"), song("3")
    playlist = playlist_with(first, second, third)
    playlist.write(moved(first, third), DONE)
    playlist.write(moved(third, None), DONE)
    playlist.check_songs(ALICE, songs("3", "2", "1"), journal)
    playlist.check_activities(ALICE, activities("1", "2", "3"), journal)
    assert journal.lost == []
    playlist.check_songs(ALICE, songs("1", "2", "3"), journal)
    playlist.check_songs(ALICE, songs("2", "3", "1"), journal)
    assert len(journal.lost) == 2


def test_of_two_moves_at_once_none_is_lost_and_the_order_that_is_shown_stays(journal: Journal) -> None:
    first, second, third = song("1"), song("2"), song("3")
    playlist = playlist_with(first, second, third)
    playlist.write_at_once([(moved(third, None), DONE), (moved(second, None), DONE)])
    for shown in (songs("3", "2", "1"), songs("2", "3", "1")):
        playlist.check_songs(ALICE, shown, journal)
    assert journal.lost == []
    playlist.check_songs(ALICE, songs("3", "1", "2"), journal)
    assert len(journal.lost) == 1
    playlist.narrow_to_songs(songs("2", "3", "1"))
    assert playlist.certain
    playlist.check_songs(ALICE, songs("3", "2", "1"), journal)
    assert len(journal.lost) == 2


def test_a_batch_in_doubt_is_there_completely_or_not_at_all(journal: Journal) -> None:
    playlist = playlist_with(song("1"))
    playlist.write_together([change("add", song("2")), change("add", song("3"))], UNKNOWN)
    for shown, noted in [(songs("1"), activities("1")), (songs("1", "2", "3"), activities("1", "2", "3"))]:
        playlist.check_songs(ALICE, shown, journal)
        playlist.check_agreement(shown, noted, journal)
    assert (journal.lost, journal.halves) == ([], [])
    playlist.check_songs(ALICE, songs("1", "2"), journal)
    playlist.check_agreement(songs("1", "2"), activities("1", "2"), journal)
    playlist.check_agreement(songs("1", "2", "3"), activities("1", "2"), journal)
    assert (len(journal.lost), len(journal.halves)) == (1, 2)


def test_a_batch_that_was_acknowledged_is_there(journal: Journal) -> None:
    playlist = playlist_with(song("1"))
    playlist.write_together([change("add", song("2")), change("add", song("3"))], DONE)
    playlist.check_songs(ALICE, songs("1"), journal)
    assert len(journal.lost) == 1


def test_a_copy_in_doubt_has_every_song_but_those_deleted_since(journal: Journal) -> None:
    deleted = song("2")
    copy = Copy("Copy", (song("1"), deleted))
    copy.check({"1", "2"}, journal)
    assert journal.halves == []
    copy.check({"1"}, journal)
    assert len(journal.halves) == 1
    deleted.gone.write(True, UNKNOWN)
    copy.check({"1"}, journal)
    assert len(journal.halves) == 1
    copy.check({"1", "3"}, journal)
    copy.check(set(), journal)
    assert len(journal.halves) == 3


LIKES, PLAYLISTS = ("catalog", "album_likes"), ("playlist", "playlists")


def test_an_account_goes_with_all_that_it_has_or_stays_with_it(journal: Journal) -> None:
    leaver = Leaver("user-l", "leaver", {LIKES, PLAYLISTS})
    leaver.gone.write(True, UNKNOWN)
    leaver.check(True, {LIKES, PLAYLISTS}, journal)
    leaver.check(False, set(), journal)
    assert (journal.lost, journal.halves) == ([], [])
    leaver.check(True, {LIKES}, journal)
    leaver.check(False, {LIKES}, journal)
    assert len(journal.halves) == 2


def test_a_deletion_of_an_account_that_was_acknowledged_took_place(journal: Journal) -> None:
    leaver = Leaver("user-l", "leaver")
    leaver.gone.write(True, DONE)
    leaver.check(True, set(), journal)
    assert len(journal.lost) == 1
