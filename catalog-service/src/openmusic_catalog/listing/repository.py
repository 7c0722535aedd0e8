"""Conditions that the statements of several lists share."""

import re
from unicodedata import normalize

from psycopg import sql

_HAS_TRIGRAMS = re.compile(r"[^\W_]{3}")
"""The trigram indexes are of little use for a text without three letters or digits in a row."""


def contains(column: str, text: str) -> sql.Composed:
    """The condition that the search key of ``column`` contains ``text``, accents and letter case aside.

    ``text`` is the parameter of the statement that has the name of the column.
    """
    names = {"key": sql.Identifier(f"{column}_key"), "text": sql.Placeholder(column)}
    condition = "{key} LIKE containing(fold({text}))"
    if not _HAS_TRIGRAMS.search(normalize("NFC", text)):
        condition += " AND short_grams({key}) @> pairs(fold({text}))"
    return sql.SQL(condition).format(**names)
