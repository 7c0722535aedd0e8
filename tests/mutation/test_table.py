import pytest
from table import enough


@pytest.mark.parametrize(("noticed", "holds"), [(90, True), (89, False)])
def test_nine_tenths_of_all_mutants_must_be_noticed(noticed: int, holds: bool) -> None:
    assert enough(noticed, 100, whole=True) is holds


@pytest.mark.parametrize(("noticed", "holds"), [(20, True), (14, True), (13, False), (0, False)])
def test_a_sample_fails_when_chance_does_not_explain_it(noticed: int, holds: bool) -> None:
    assert enough(noticed, 20, whole=False) is holds
