import pytest

from openmusic_kit.web.preferences import prefers_count


@pytest.mark.parametrize(
    ("header", "asked"),
    [
        ("", False),
        ("count=exact", True),
        ("Count = exact", True),
        ('count="exact"', True),
        ("count=exact; strict", True),
        ("respond-async, count=exact", True),
        ("count=Exact", False),
        ("count", False),
        ("count=", False),
        ("count=planned, count=exact", False),
        ("count=exact, count=planned", True),
        ("x-count=exact", False),
        (",;=,", False),
    ],
)
def test_who_asks_for_a_count(header: str, asked: bool) -> None:
    assert prefers_count(header) is asked
