import pytest

from openmusic_media.covers.ranges import RangeNotSatisfiable, requested_range


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("bytes=0-0", range(1)),
        ("bytes=5-5", range(5, 6)),
        ("bytes=99-99", range(99, 100)),
        ("bytes=0-9", range(10)),
        ("bytes=0-98", range(99)),
        ("bytes=0-99", range(100)),
        ("bytes=0-100", range(100)),
        ("bytes=0-", range(100)),
        ("bytes=99-", range(99, 100)),
        ("bytes=98-100", range(98, 100)),
        ("bytes=-1", range(99, 100)),
        ("bytes=-99", range(1, 100)),
        ("bytes=-100", range(100)),
        ("bytes=-101", range(100)),
        (" bytes=1-2 ", range(1, 3)),
        ("bytes=007-008", range(7, 9)),
        (f"bytes=0-{'9' * 10_000}", range(100)),
        (f"bytes=-{'9' * 10_000}", range(100)),
        (f"bytes={'0' * 10_000}5-5", range(5, 6)),
        ("bytes=90-", range(90, 100)),
        ("bytes=-10", range(90, 100)),
        ("bytes=-1000", range(100)),
        ("bytes=90-1000", range(90, 100)),
        ("bytes=5-2", None),
        ("bytes=-", None),
        ("bytes=0-1,4-5", None),
        ("bytes=0-1,", None),
        ("bytes=", None),
        ("bytes", None),
        ("bytes=5", None),
        ("bytes=--5", None),
        ("bytes=+1-2", None),
        ("bytes= 1-2", None),
        ("bytes=1-2-3", None),
        ("bytes=a-b", None),
        ("bytes=0x1-0x2", None),
        ("bytes=\u0661-\u0662", None),
        ("bytes=\xb2-", None),
        ("bytes=200-100", None),
        ("items=0-1", None),
    ],
)
def test_a_range_is_read_as_the_standard_says(header: str | None, expected: range | None) -> None:
    assert requested_range(header, 100) == expected


@pytest.mark.parametrize(
    "header", ["bytes=100-", "bytes=100-100", "bytes=100-200", "bytes=-0", "bytes=-00", f"bytes={'9' * 10_000}-"]
)
def test_a_range_outside_is_not_satisfiable(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        requested_range(header, 100)


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=0-0", "bytes=-1"])
def test_of_nothing_there_is_no_part(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        requested_range(header, 0)
