from openmusic_kit.edge.tags import (
    CACHE_TAG,
    MAX_HEADER_LENGTH,
    MAX_TAG_LENGTH,
    MAX_TAGS,
    bounded,
    joined,
    private,
    public,
)
from openmusic_kit.ids import new_id


def test_tags_are_named_as_they_are_while_they_are_few() -> None:
    tags = [f"thing:{new_id('thing')}" for _ in range(MAX_TAGS)]

    assert joined(tags) == ",".join(tags)
    assert private(*tags) == {CACHE_TAG: ",".join(tags), "Cache-Control": "private, no-cache"}
    assert public(*tags) == {CACHE_TAG: ",".join(tags), "Cache-Control": "public, no-cache"}


def test_one_tag_too_many_and_the_kind_that_has_most_is_named_instead() -> None:
    things = [f"thing:{number}" for number in range(MAX_TAGS)]

    assert bounded(["other:1", *things]) == ["other:1", "thing"]
    assert bounded(["thing:0", *things]) == things, "the same tag twice counts once"


def test_kinds_are_named_until_the_rest_is_few_enough() -> None:
    tags = [f"{kind}:{number}" for kind, amount in (("a", 60), ("b", 50), ("c", 63)) for number in range(amount)]

    assert bounded(tags) == ["a", *(f"b:{number}" for number in range(50)), "c"]


def test_an_id_that_a_header_cannot_carry_is_never_named() -> None:
    fits = "thing:" + "x" * (MAX_TAG_LENGTH - 6)

    assert bounded([fits, fits + "x"]) == [fits, "thing"]
    for unfit in ("thing:a,b", "thing:a b", "thing:\r\nX: 1", "thing:é", "thing:\n", "thing:"):
        assert bounded([unfit]) in (["thing"], [])


def test_no_header_is_longer_than_is_said() -> None:
    longest = [f"thing:{number:03}".ljust(MAX_TAG_LENGTH, "x") for number in range(MAX_TAGS)]

    assert len(joined(longest)) == MAX_HEADER_LENGTH - 1
