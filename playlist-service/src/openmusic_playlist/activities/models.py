from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ActivityRow:
    """``position`` is its place among all activities."""

    position: int
    username: str
    title: str
    action: str
    time: datetime
