import json
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """The songs of a playlist in Redis: a line of JSON, then the document as it is sent to clients.

    The line is an array of the members' ids, followed by an object with the rest. Earlier versions wrote the members
    only; their entries are ignored, and they can read ours.
    """

    incarnation: str | None
    public: bool
    members: list[str]
    song_ids: list[str]
    document: bytes

    def encode(self) -> bytes:
        head = [*self.members, {"incarnation": self.incarnation, "songs": self.song_ids, "public": self.public}]
        return json.dumps(head).encode() + b"\n" + self.document

    @classmethod
    def decode(cls, value: bytes) -> Self:
        head, _, document = value.partition(b"\n")
        *members, last = json.loads(head)
        if not isinstance(last, dict):
            return cls(None, False, [*members, last], [], document)
        return cls(last["incarnation"], last.get("public", False), members, last["songs"], document)
