"""Entity tags and lists of them (RFC 9110, sections 8.8.3, 13.1.1 and 13.1.2).

A tag is the hash of a representation, so it changes if, and only if, the representation does.
"""

import hashlib
import re

from openmusic_kit.errors import Invalid

ANY = frozenset({"*"})
"""What ``*`` is parsed to."""

WEAK = "W/"

_TAG = r'(?:W/)?"[!#-~\x80-\xff]*"'
_LIST = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")
_TAGS = re.compile(_TAG)


class ConditionInvalid(Invalid):
    message = 'If-Match and If-None-Match: must be * or entity tags in quotation marks, such as "1f3a", "9b0c"'


def entity_tag(representation: bytes) -> str:
    return f'"{hashlib.blake2b(representation, digest_size=12).hexdigest()}"'


def parse_tags(value: str) -> frozenset[str]:
    """The tags of the header as they are written, or ANY. Raises ConditionInvalid."""
    if value.strip(" \t") == "*":
        return ANY
    if not _LIST.fullmatch(value):
        raise ConditionInvalid
    return frozenset(_TAGS.findall(value))


def matches_strongly(tag: str, tags: frozenset[str]) -> bool:
    """As ``If-Match`` compares: a weak tag matches nothing. ``tag`` is strong."""
    return tags == ANY or tag in tags


def matches_weakly(tag: str, tags: frozenset[str]) -> bool:
    """As ``If-None-Match`` compares."""
    return tags == ANY or tag in tags or WEAK + tag in tags
