from datetime import datetime
from typing import Literal

from pydantic import Field

from openmusic_kit.web.schemas import WireModel
from openmusic_playlist.playlists.schemas import Id


class Activity(WireModel):
    position: int = Field(exclude=True)
    username: str
    title: str
    action: Literal[
        "add", "delete", "rename", "describe", "publish", "unpublish", "reorder", "copy", "leave", "cover", "uncover"
    ]
    time: datetime


class ActivitiesData(WireModel):
    playlist_id: Id
    activities: list[Activity]
