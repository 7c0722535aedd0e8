"""What ``If-Match`` and ``If-None-Match`` say, and what they refuse."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from openmusic_kit.errors import PreconditionFailed
from openmusic_kit.web.conditions import Condition, _condition
from openmusic_kit.web.entity_tags import ANY, ConditionInvalid, entity_tag, parse_tags

HERE = entity_tag(b"here")
OTHER = '"other"'
CHARACTERS = [chr(code) for code in (0x21, *range(0x23, 0x7F), *range(0x80, 0x100))]
TAGS = st.builds(lambda weak, text: f'{weak}"{text}"', st.sampled_from(["", "W/"]), st.text(CHARACTERS, max_size=12))
GAPS = st.text(" \t,", max_size=4)


async def condition_of(*headers: tuple[str, str]) -> Condition:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return await _condition(Request({"type": "http", "headers": raw}))


async def holds(*headers: tuple[str, str]) -> bool:
    check = (await condition_of(*headers)).on(lambda text: text)
    if check is None:
        return True
    try:
        check(b"here")
    except PreconditionFailed:
        return False
    return True


@pytest.mark.parametrize(
    ("value", "match", "none_match"),
    [
        ("*", True, False),
        (" * ", True, False),
        (HERE, True, False),
        (f"{OTHER}, {HERE}", True, False),
        (f"{OTHER},{HERE}", True, False),
        (f", ,{HERE},", True, False),
        (OTHER, False, True),
        ('""', False, True),
        (f"W/{HERE}", False, False),  # weak tags match only where a weak comparison will do
        (f"W/{OTHER}, {HERE}", True, False),
        (f'"{HERE[1:-1]},x"', False, True),
        (HERE.upper(), False, True),
    ],
)
async def test_a_condition_holds_for_what_it_names(value: str, match: bool, none_match: bool) -> None:
    assert await holds(("If-Match", value)) is match
    assert await holds(("If-None-Match", value)) is none_match


async def test_several_fields_are_one_list_and_both_headers_must_hold() -> None:
    assert await holds(("If-Match", OTHER), ("If-Match", HERE))
    assert not await holds(("If-Match", HERE), ("If-None-Match", HERE))
    assert not await holds(("If-Match", "*"), ("If-None-Match", HERE))
    assert await holds(("If-Match", HERE), ("If-None-Match", OTHER))


@pytest.mark.parametrize("headers", [[], [("If-Match", "*")]])
async def test_nothing_is_read_where_whatever_exists_will_do(headers: list[tuple[str, str]]) -> None:
    assert (await condition_of(*headers)).on(lambda text: text) is None


@pytest.mark.parametrize(
    "value",
    ["", ",", "here", HERE[1:], HERE[:-1], f"{HERE} {HERE}", f"*, {HERE}", "**", "w/" + HERE, "W/ " + HERE, '"a b"'],
)
@pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
async def test_what_is_no_list_of_tags_is_refused(header: str, value: str) -> None:
    with pytest.raises(ConditionInvalid):
        await condition_of((header, value))


@given(st.lists(TAGS, min_size=1, max_size=5), GAPS, GAPS, st.data())
def test_every_list_is_parsed_to_its_tags(tags: list[str], before: str, after: str, data: st.DataObject) -> None:
    gaps = [data.draw(GAPS) + "," + data.draw(GAPS) for _ in tags[1:]]
    text = before + tags[0] + "".join(gap + tag for gap, tag in zip(gaps, tags[1:], strict=True)) + after

    assert parse_tags(text) == frozenset(tags)


@given(st.text([*'W/"*, \ta', "\xff"], max_size=30))
def test_any_text_is_parsed_as_an_independent_reader_does(text: str) -> None:
    expected = _read_slowly(text)
    if expected is None:
        with pytest.raises(ConditionInvalid):
            parse_tags(text)
    else:
        assert parse_tags(text) == expected


def _read_slowly(text: str) -> frozenset[str] | None:
    """Character by character; None for what is malformed."""
    if text.strip(" \t") == "*":
        return ANY
    found, place, separated = [], 0, True
    while place < len(text):
        if text[place] in " \t,":
            separated |= text[place] == ","
            place += 1
            continue
        start = place
        place += 2 if text.startswith("W/", place) else 0
        end = text.find('"', place + 1)
        if not separated or text[place : place + 1] != '"' or end < 0 or set(text[place:end]) & {" ", "\t"}:
            return None
        place, separated = end + 1, False
        found.append(text[start:place])
    return frozenset(found) or None


@pytest.mark.parametrize("make", [lambda n: "," * n + "x", lambda n: '"a", ' * n + "x", lambda n: " " * n + "x"])
def test_a_long_malformed_value_is_refused_at_once(make: Callable[[int], str]) -> None:
    with pytest.raises(ConditionInvalid):
        parse_tags(make(60_000))  # seconds, if the time grew with the square


def test_the_tag_of_a_representation_changes_with_it() -> None:
    assert entity_tag(b"here") == HERE != entity_tag(b"there")
    assert parse_tags(HERE) == {HERE}
