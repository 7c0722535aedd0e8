"""Conditions and orders that the statements of several lists share."""

import re
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from unicodedata import normalize

from psycopg import sql

from openmusic_catalog.listing.sorting import KEY_LENGTH, Order, SortKey, Value

_HAS_TRIGRAMS = re.compile(r"[^\W_]{3}")
"""The trigram indexes are of little use for a text without three letters or digits in a row."""


def contains(column: str, text: str, parameter: str = "") -> sql.Composed:
    """The condition that the search key of ``column`` contains ``text``, accents and letter case aside.

    ``text`` is the value of the parameter, which has the name of the column unless another is given.
    """
    condition = "{key} LIKE containing(fold({text}))"
    if not _HAS_TRIGRAMS.search(normalize("NFC", text)):
        condition += " AND short_grams({key}) @> pairs(fold({text}))"
    return sql.SQL(condition).format(key=sql.Identifier(f"{column}_key"), text=sql.Placeholder(parameter or column))


def follows(order: Order) -> sql.Composable:
    """The condition that a row comes after the values that are the parameters of :func:`cursor_parameters`.

    Neighbouring keys of one direction are compared as one row. An index can begin with what holds for the first keys.
    """
    condition: sql.Composable | None = None
    groups = [(descending, list(keys)) for descending, keys in groupby(order.keys, attrgetter("descending"))]
    for descending, keys in reversed(groups):
        parts: dict[str, sql.Composable] = {
            "row": _joined([_expression(key) for key in keys]),
            "last": _joined([sql.Placeholder(_parameter(key)) for key in keys]),
            "beyond": sql.SQL("<" if descending else ">"),
        }
        condition = (
            sql.SQL("({row}) {beyond} ({last})").format(**parts)
            if condition is None
            else sql.SQL("({row}) {beyond}= ({last}) AND (({row}) {beyond} ({last}) OR {rest})").format(
                **parts, rest=condition
            )
        )
    return condition or sql.SQL("true")


def cursor_parameters(order: Order, values: tuple[Value, ...]) -> dict[str, Value]:
    """``values`` are those of a row, or none."""
    return {_parameter(key): value for key, value in zip(order.keys, values, strict=bool(values))}


def order_by(order: Order) -> sql.Composed:
    directions = {True: sql.SQL("{} DESC"), False: sql.SQL("{}")}
    return _joined([directions[key.descending].format(_expression(key)) for key in order.keys])


def columns(order: Order, *names: str) -> sql.Composed:
    """The columns with these names, and those that a cursor of this order takes its values from."""
    keys = [key for key in order.keys if key.column not in names]
    values = [sql.SQL("{} AS {}").format(_expression(key), sql.Identifier(key.column)) for key in keys]
    return _joined([*map(sql.Identifier, names), *values])


def rows_of(table: str, conditions: list[sql.Composable]) -> sql.Composed:
    """The query for rows without columns, to be counted."""
    return sql.SQL("SELECT FROM {} WHERE {}").format(sql.Identifier(table), all_of(conditions))


def all_of(conditions: list[sql.Composable]) -> sql.Composable:
    return sql.SQL(" AND ").join(conditions) if conditions else sql.SQL("true")


def _expression(key: SortKey) -> sql.Composed:
    expression = "{}" if key.field in {"id", "year"} else "left({}, " + str(KEY_LENGTH) + ")"
    return sql.SQL(expression).format(sql.Identifier(key.column))


def _parameter(key: SortKey) -> str:
    return f"after_{key.field}"


def _joined(parts: Sequence[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(parts)
