"""Compares the storage with what albums and playlists refer to."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import urlencode

from openmusic_kit.errors import Conflict, Unavailable
from openmusic_kit.web.clients import ServiceClient
from openmusic_kit.web.schemas import DataResponse, WireModel
from openmusic_media.covers.keys import INCOMING, PUBLIC_PREFIX, is_thumbnail_key, parse_cover_key, stem_of
from openmusic_media.storage.interface import ObjectNotFound, Storage

PAGE = 1_000  # covers
UPLOAD_TIME = timedelta(hours=1)
"""A file as young as this may belong to an upload under way. The longest takes a few seconds; clocks may differ."""


class NoCoverInUse(Conflict):
    message = "Nothing has a cover, so no file was deleted: are these the right services?"


@dataclass(frozen=True)
class Finding:
    """``unused``: nothing refers to the file. ``missing``: something does, but there is none. ``unknown``: not ours."""

    problem: Literal["unused", "missing", "unknown"]
    file: str
    removed: bool = False


class CoverReference(WireModel):
    id: str
    path: str


class CoverReferences(WireModel):
    covers: list[CoverReference]


class CoverCheck:
    def __init__(
        self,
        storage: Storage,
        catalog: ServiceClient,
        playlists: ServiceClient,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._storage = storage
        self._owners = {"albums": catalog, "playlists": playlists}
        self._now = now

    async def run(self, *, remove: bool = False) -> list[Finding]:
        """With ``remove``, unused files are deleted. Raises Unavailable, and NoCoverInUse rather than delete all.

        The files are listed before the references: each upload stores its file first, and never uses one again.
        """
        files = await self._storage.keys()
        used = {key async for key in self._references()}
        unused = [Finding("unused", file) async for file in self._unused(files, used)]
        if remove and unused and not used:
            raise NoCoverInUse
        if remove:
            unused = [await self._remove(finding) for finding in unused]
        missing = [Finding("missing", key) async for key in self._missing(used.difference(files))]
        unknown = [Finding("unknown", file) for file in files if not _is_ours(file)]
        return [*unused, *missing, *unknown]

    async def _unused(self, files: list[str], used: set[str]) -> AsyncIterator[str]:
        """Covers come before their thumbnails, as they must be deleted first."""
        stems = {stem_of(key) for key in used}
        for file in sorted(files, key=is_thumbnail_key):
            if _is_ours(file) and stem_of(file) not in stems and await self._is_old(file):
                yield file

    async def _missing(self, keys: set[str]) -> AsyncIterator[str]:
        """Looks again, as a cover may have come or been replaced since the files were listed."""
        still_used = {key async for key in self._references()} if keys else set()
        for key in sorted(keys & still_used):
            try:
                await self._storage.modified_at(key)
            except ObjectNotFound:
                yield key

    async def _is_old(self, file: str) -> bool:
        try:
            return await self._storage.modified_at(file) < self._now() - UPLOAD_TIME
        except ObjectNotFound:
            return False

    async def _remove(self, finding: Finding) -> Finding:
        await self._storage.delete(finding.file)
        return replace(finding, removed=True)

    async def _references(self) -> AsyncIterator[str]:
        """The keys of all covers in use."""
        for kind, owner in self._owners.items():
            after: str | None = ""
            while after is not None:
                page = await _page(kind, owner, after)
                for cover in page:
                    yield cover.path.removeprefix(PUBLIC_PREFIX)
                after = page[-1].id if len(page) == PAGE else None


async def _page(kind: str, owner: ServiceClient, after: str) -> list[CoverReference]:
    answer = await owner.get(f"/internal/{kind}/covers?{urlencode({'after': after, 'limit': PAGE})}")
    if not answer.found:
        raise Unavailable(f"The owner of {kind} is too old: it does not list covers")
    return answer.parse(DataResponse[CoverReferences]).data.covers


def _is_ours(file: str) -> bool:
    return parse_cover_key(file) is not None or is_thumbnail_key(file) or file.startswith(INCOMING)
