"""What a pair reads, each answer compared with the model of what it wrote."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clients import Answer, Client, User
from models import Album, Playlist, Song, colour_of


@dataclass
class Reads:
    """Through the ``gateway`` of that number."""

    client: Client
    dice: random.Random
    gateway: int = 0

    async def _get(self, path: str, user: User | None = None, **more: Any) -> Answer:
        return await self.client.ask("GET", path, user=user, gateway=self.gateway, **more)

    async def songs_of(self, playlist: Playlist, user: User) -> Answer:
        answer = await self._get(f"/playlists/{playlist.id}/songs", user)
        playlist.check_songs(user, answer, self.client.journal)
        return answer

    async def activities_of(self, playlist: Playlist, user: User) -> Answer:
        answer = await self._get(f"/playlists/{playlist.id}/activities", user)
        playlist.check_activities(user, answer, self.client.journal)
        return answer

    async def album(self, album: Album) -> Answer:
        answer = await self._get(f"/albums/{album.id}")
        album.check(answer, self.client.journal)
        return answer

    async def likes_of(self, album: Album) -> Answer:
        answer = await self._get(f"/albums/{album.id}/likes")
        album.check_likes(answer, self.client.journal)
        return answer

    async def cover_of(self, album: Album) -> Answer | None:
        """The album refers to a picture that is there, and is the right one."""
        shown = await self.album(album)
        if shown.status != 200 or shown.data["album"]["coverUrl"] is None:
            return None
        answer = await self._get("/covers/" + shown.data["album"]["coverUrl"].partition("/covers/")[2])
        if answer.status == 404 and not album.cover.certain:  # replaced between the two by one that came late
            return answer
        if not answer.failed and (answer.status != 200 or colour_of(answer.content) not in album.cover.possible):
            self.client.journal.lost.append(f"cover of {album.id}: {answer.status}, not one of {album.cover.possible}")
        return answer

    async def song(self, song: Song) -> Answer:
        answer = await self._get(f"/songs/{song.id}")
        song.check(answer, self.client.journal)
        return answer

    async def playlists_of(self, user: User, playlists: Sequence[Playlist]) -> Answer:
        """Which of these are among the user's own and those shared with it."""
        answer = await self._get("/playlists", user)
        if answer.status != 200:
            self._refuse("/playlists", answer)
            return answer
        shown = {each["id"] for each in answer.data["playlists"]}
        for each in playlists:
            there = {not gone for gone in each.gone.possible}
            if user is each.friend:
                there = {alive and shared for alive in there for shared in each.shared.possible}
            if (each.id in shown) not in there:
                self.client.journal.lost.append(f"playlist {each.id} among those of {user.username}: {there}")
        return answer

    async def search(self, song: Song) -> Answer:
        """For a song of which everything is certain."""
        answer = await self._get("/songs", params={"title": song.title.last, "performer": "coldplay"})
        if answer.status != 200:
            self._refuse("/songs", answer)
            return answer
        found = [each["id"] for each in answer.data["songs"] if each["title"] == song.title.last]
        if found != ([] if song.gone.last else [song.id]):
            self.client.journal.lost.append(f"search for {song.title.last}: {found}, not {song.id}")
        return answer

    def _refuse(self, path: str, answer: Answer) -> None:
        if not answer.failed:
            self.client.journal.wrong.append(f"GET {path}: {answer.status} {answer.content[:200]!r}")
