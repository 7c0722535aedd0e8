import pytest

from openmusic_kit.errors import Invalid, NotFound
from openmusic_kit.ids import is_id, new_id, require_id
from openmusic_kit.web.paging import MAX_LINK_LENGTH, decode_cursor, encode_cursor, next_page_link


def test_ids_sort_by_the_order_of_their_creation() -> None:
    ids = [new_id("thing") for _ in range(1000)]

    assert ids == sorted(ids)
    assert len(set(ids)) == 1000
    assert all(is_id("thing", each) for each in ids)


@pytest.mark.parametrize(
    "text", ["", "thing", "thing-", "xxx", "other-" + "0" * 32, "thing-" + "0" * 31 + "\0", "a" * 300]
)
def test_other_texts_are_no_ids(text: str) -> None:
    assert not is_id("thing", text)
    with pytest.raises(NotFound):
        require_id("thing", text, NotFound)


@pytest.mark.parametrize("key", ["", "thing-1", "é\n"])
def test_a_cursor_leads_back_to_its_key(key: str) -> None:
    assert decode_cursor(encode_cursor(key)) == key


@pytest.mark.parametrize("cursor", ["%", "a", "é", "AA", "_w"])
def test_a_cursor_that_was_never_given_out_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid):
        decode_cursor(cursor)


def test_a_link_keeps_the_query_and_escapes_it() -> None:
    assert next_page_link("/things", name="a&b", limit=2, other=None) == '</things?name=a%26b&limit=2>; rel="next"'


def test_the_longest_texts_fit_into_a_link_and_what_does_not_fit_is_never_sent() -> None:
    widest = "\N{GRINNING FACE}" * 1000
    link = next_page_link("/things", title=widest, maker=widest, limit=1000, cursor=encode_cursor(new_id("thing")))

    assert len(link) <= MAX_LINK_LENGTH
    with pytest.raises(ValueError, match="bounded"):
        next_page_link("/things", name="x" * MAX_LINK_LENGTH)
