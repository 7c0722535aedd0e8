import ast
from typing import Any

import pytest
from cosmic_ray.mutating import mutate_code
from operators import OPERATORS


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_makes_what_its_examples_say(name: str) -> None:
    operator: Any = OPERATORS[name]
    for example in operator.examples():
        if name == "ExceptionReplacer" and "except:" in example.pre_mutation_code:
            continue
        mutant = mutate_code(example.pre_mutation_code, operator, example.occurrence)
        assert mutant is not None
        ast.parse(mutant.strip())
        assert mutant.split() == example.post_mutation_code.split()
