"""Changes that services have announced and not ended: responses with their tags are kept for a moment only."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from openmusic_gateway.edge.entries import affected, labels

REMEMBERED = 60.0  # seconds that a hold is remembered after it lapsed; no fetch takes longer
MAX_HOLDS = 10_000


@dataclass
class _Hold:
    until: float
    labels: set[str] = field(default_factory=set)


class Holds:
    """``until`` and ``since`` are times of the same clock."""

    def __init__(self) -> None:
        self._holds: OrderedDict[str, _Hold] = OrderedDict()
        self._by_label: dict[str, set[str]] = {}
        self._horizon = 0.0
        """What began to be fetched before this may be under a hold that is no longer remembered."""

    def add(self, hold_id: str, tags: Iterable[str], until: float, now: float) -> None:
        """Adds these tags to the hold, which may have come in several parts."""
        hold = self._holds.setdefault(hold_id, _Hold(until))
        hold.until = max(hold.until, until)
        for label in labels(tags) - hold.labels:
            hold.labels.add(label)
            self._by_label.setdefault(label, set()).add(hold_id)
        self._forget(now)

    def lift(self, hold_ids: Iterable[str]) -> None:
        for hold_id in hold_ids:
            if hold_id in self._holds:
                self._remove(hold_id)

    def cover(self, tags: Iterable[str], since: float) -> bool:
        """Whether what began to be fetched at ``since`` may be older than a change that nobody purges any more."""
        if since < self._horizon:
            return True
        return bool(self._holds) and any(
            self._holds[hold_id].until > since
            for tag in tags
            for label in affected(tag)
            for hold_id in self._by_label.get(label, ())
        )

    def _forget(self, now: float) -> None:
        """Forgets the oldest: those that lapsed long ago, and too many."""
        while self._holds:
            hold_id, oldest = next(iter(self._holds.items()))
            if len(self._holds) > MAX_HOLDS:
                self._horizon = max(self._horizon, oldest.until)
            elif oldest.until + REMEMBERED > now:
                return
            self._remove(hold_id)

    def _remove(self, hold_id: str) -> None:
        for label in self._holds.pop(hold_id).labels:
            hold_ids = self._by_label[label]
            hold_ids.discard(hold_id)
            if not hold_ids:
                del self._by_label[label]
