"""The order of a list, as ``sort`` asks for it, and the cursors of its pages."""

import json
from dataclasses import dataclass

from openmusic_kit.web.paging import CursorInvalid

KEY_LENGTH = 100
"""Characters of a text by which it is sorted. The indexes by texts have as many."""

Value = str | int


@dataclass(frozen=True, slots=True)
class SortKey:
    field: str
    descending: bool = False

    @property
    def column(self) -> str:
        """What a row of the list calls the value."""
        return self.field if self.field in {"id", "year"} else f"{self.field}_key"


@dataclass(frozen=True, slots=True)
class Order:
    """``text`` is what the client asked for. The last key is the id, so that no two items are equal."""

    text: str
    keys: tuple[SortKey, ...]

    def cursor_of(self, item: object) -> str:
        """Returns what leads on from this item. It names its order, as it would skip items in any other."""
        values = [getattr(item, key.column) for key in self.keys]
        return json.dumps([self.text, *values], ensure_ascii=False) if self.text else str(values[-1])

    def after(self, cursor: str) -> tuple[Value, ...]:
        """Returns the values that ``cursor_of`` took; none for the first page. Raises CursorInvalid."""
        if not cursor:
            return ()
        if not self.text:
            return (cursor,)
        try:
            text, *values = json.loads(cursor)
        except (ValueError, TypeError, RecursionError) as error:
            raise CursorInvalid from error
        kinds = [int if key.field == "year" else str for key in self.keys]
        if text != self.text or [type(value) for value in values] != kinds or not all(map(_is_storable, values)):
            raise CursorInvalid
        return tuple(values)


def sort_pattern(*fields: str) -> str:
    """Returns the pattern of the texts that :func:`parse_sort` takes."""
    key = f"-?({'|'.join(fields)})"
    return f"^({key}(,{key}){{0,{len(fields) - 1}}})?$"


def parse_sort(text: str) -> Order:
    """Reads ``-year,title``: the latest first, those of a year by title. A field that is named again changes nothing.

    Where all fields are equal, ids decide, in the direction of the last field.
    """
    keys: dict[str, SortKey] = {}
    for name in text.split(",") if text else ():
        field = name.removeprefix("-")
        keys.setdefault(field, SortKey(field, descending=name.startswith("-")))
    descending = [key.descending for key in keys.values()]
    return Order(text, (*keys.values(), SortKey("id", descending[-1] if descending else False)))


def _is_storable(value: Value) -> bool:
    if isinstance(value, int):
        return -(2**31) <= value < 2**31
    return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
