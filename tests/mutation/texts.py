"""Mutations of SQL and of Lua for Redis, which stand as text in Python."""

import re
from collections.abc import Iterator
from typing import Any

from cosmic_ray.operators.operator import Example, Operator

_SQL = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|WHERE|ORDER BY)\b")
_LUA = re.compile(r"\bredis\.call\(")
_WORDS = ("AND", "OR", "ORDER BY", "GROUP BY", "LIMIT", "RETURNING", "FOR", "ON CONFLICT", "UNION")
_END = r"(?=\s*(?:\b(?:" + "|".join(_WORDS) + r")\b|\)|\"|'|$))"
_CONDITION = r"(?:[^()]|\([^()]*\)|\((?:[^()]|\([^()]*\))*\))+?" + _END

# What is looked for, and what stands there instead. SQL's words are in capitals here, as in all of our statements.
_OF_SQL = (
    (r"\s+FOR (?:NO KEY )?(?:UPDATE|SHARE)(?: OF \w+)?(?: SKIP LOCKED| NOWAIT)?", ""),
    (r"\s+FOR KEY SHARE(?: OF \w+)?", ""),
    (r"\s+SKIP LOCKED", ""),
    (r"\s+ORDER BY [\w.]+(?: DESC| ASC)?(?:, [\w.]+(?: DESC| ASC)?)*", ""),
    (r"(ORDER BY [\w.]+)(?! DESC)\b", r"\1 DESC"),
    (r"(ORDER BY [\w.]+) DESC\b", r"\1"),
    (r"\s+LIMIT (?:%\(\w+\)s|\d+)", ""),
    (r"\s+ON CONFLICT(?: \([^)]*\))? DO NOTHING", ""),
    (r"(?<![<>!:=])<(?![<>=@])", "<="),
    (r"(?<![<>!:=@-])>(?![<>=])", ">="),
    (r"<=", "<"),
    (r">=", ">"),
    (r"\s+AND " + _CONDITION, ""),
    (r"(?<=\bWHERE )" + _CONDITION + r"(?=\s+AND\b)", "true"),
    (r"(?<=\bWHERE )(?!\{)" + _CONDITION + r"(?!\s+AND\b)", "true"),
    (r"\bNOT EXISTS\b", "EXISTS"),
    (r"(?<!NOT )(?<!IF )\bEXISTS\b", "NOT EXISTS"),
    (r"\bIS NULL\b", "IS NOT NULL"),
    (r"\bIS NOT NULL\b", "IS NULL"),
    (r"\bIS DISTINCT FROM\b", "IS NOT DISTINCT FROM"),
    (r"\bUNION ALL\b", "UNION"),
    (r"\bUNION\b(?! ALL)", "UNION ALL"),
    (r"\bLEFT JOIN\b", "JOIN"),
    (r"\bSELECT DISTINCT\b", "SELECT"),
    (r"\bgreatest\(", "least("),
    (r"\bleast\(", "greatest("),
    (r"\blower\(", "("),
    (r"(\w+) = \1 \+ 1\b", r"\1 = \1"),
    (r"\bversion \+ 1\b", "version"),
    (r"\bcoalesce\(", "nullif("),
    (r"(?<=interval ')\d+", "1"),
)
_OF_LUA = (
    (r"==", "~="),
    (r"~=", "=="),
    (r"<=", "<"),
    (r">=", ">"),
    (r"(?<![<>~=])<(?!=)", "<="),
    (r"(?<![<>~=])>(?!=)", ">="),
    (r"\band\b", "or"),
    (r"\bor\b", "and"),
    (r"(?m)(?<=\n)[ \t]*redis\.call\(.*$", ""),
    (r", 'NX'", ""),
    (r", 'EX', ARGV\[\d\]", ""),
    (r" \+ (?=\w)", " - "),
    (r" - (?=\w)", " + "),
)


class TextReplacer(Operator):
    """Changes one word or one condition of a statement, or leaves it out."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        for start, end, _ in _changes(node):
            yield _position(node, start), _position(node, end)

    def mutate(self, node: Any, index: int) -> Any:
        start, end, instead = _changes(node)[index]
        node.value = node.value[:start] + instead + node.value[end:]
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        statement = "q = 'SELECT id FROM songs WHERE id > 1 AND year = 2 ORDER BY id LIMIT 5 FOR UPDATE'"
        changes = (
            (" FOR UPDATE", ""),
            (" ORDER BY id", ""),
            ("ORDER BY id", "ORDER BY id DESC"),
            (" LIMIT 5", ""),
            ("id > 1", "id >= 1"),
            (" AND year = 2", ""),
            ("id > 1", "true"),
        )
        return tuple(
            Example(statement, statement.replace(old, new), occurrence=number)
            for number, (old, new) in enumerate(changes)
        )


def _changes(node: Any) -> list[tuple[int, int, str]]:
    """``(start, end, text instead)`` within the text of the node."""
    if node.type not in {"string", "fstring_string"} or _is_docstring(node):
        return []
    if _LUA.search(node.value):
        rules = _OF_LUA
    elif _SQL.search(node.value):
        rules = _OF_SQL
    else:
        return []
    found = []
    for pattern, instead in rules:
        for match in re.finditer(pattern, node.value):
            if match.group() and (match.start(), match.end(), match.expand(instead)) not in found:
                found.append((match.start(), match.end(), match.expand(instead)))
    return found


def _is_docstring(node: Any) -> bool:
    return node.parent is not None and node.parent.type == "simple_stmt"


def _position(node: Any, offset: int) -> tuple[int, int]:
    line, column = node.start_pos
    before = node.value[:offset]
    newlines = before.count("\n")
    return (line + newlines, len(before) - before.rfind("\n") - 1) if newlines else (line, column + offset)
