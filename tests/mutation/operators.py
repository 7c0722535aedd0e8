"""What a mutant may differ in: some of cosmic-ray's operators, and our own for statements, arguments and locks.

Each mutation is one small mistake that a person could make. Those that a type checker or an import would refuse at once
are left out: they would make the share of noticed mutants look better than the tests are.
"""

from collections.abc import Iterator
from typing import Any

import parso
from cosmic_ray.operators import (
    binary_operator_replacement,
    boolean_replacer,
    break_continue,
    comparison_operator_replacement,
    exception_replacer,
    unary_operator_replacement,
    zero_iteration_for_loop,
)
from cosmic_ray.operators.operator import Example, Operator
from texts import TextReplacer

_COMPARISONS = (
    *("Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is"),
    *("Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Lt_Gt", "Gt_Lt", "LtE_GtE", "GtE_LtE"),
)
_ARITHMETIC = ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "FloorDiv_Mul", "Mod_Mul")
FOR_READERS = {
    *("description", "summary", "title", "examples", "responses", "include_in_schema", "tags"),
    *("frozen", "slots", "name", "doc"),
}
"""Arguments that change what people read, or what only a type checker sees."""
_TELLING = ("logger.", "log.", "_log.", "_logger.", "super().")


class Negation(boolean_replacer.AddNot):
    """Of a condition that no other operator turns round."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        if isinstance(node, self.NODE_TYPES) and node.children[1].type in {"comparison", "not_test"}:
            return
        yield from super().mutation_positions(node)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("if held: go()", "if not held: go()"), Example("a if b else c", "a if not b else c"))


class DropStatement(Operator):
    """Leaves a call, a deletion, a raise, or an assignment to a part of something out."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        if node.type == "simple_stmt" and self._counts(node.children[0]):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        first = node.children[0]
        node.children[0] = _leaf("pass", first.get_first_leaf().prefix)
        return node

    @staticmethod
    def _counts(statement: Any) -> bool:
        code = statement.get_code(include_prefix=False).removeprefix("await ")
        if statement.type == "atom_expr":
            return code.endswith(")") and not code.startswith(_TELLING)
        if statement.type == "expr_stmt":
            return statement.children[0].type == "atom_expr" and "__init__" not in _function_of(statement)
        return statement.type in {"del_stmt", "raise_stmt", "await"} or code == "raise"

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example("await lock.release()\n", "pass\n"),
            Example("del held[key]\n", "pass\n"),
            Example("held[key] = 1\n", "pass\n"),
        )


class DropKeywordArgument(Operator):
    """Leaves an argument that is given by its name to the default."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        for child in self._droppable(node):
            yield child.start_pos, child.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        child = self._droppable(node)[index]
        position = node.children.index(child)
        followed = node.type == "arglist" and position + 1 < len(node.children)
        after = position + 2 if followed else position + 1
        before = position - 1 if node.type == "arglist" and not followed else position
        del node.children[before:after]
        return node

    @staticmethod
    def _droppable(node: Any) -> list[Any]:
        if node.type not in {"arglist", "trailer"}:
            return []
        named = [child for child in node.children if child.type == "argument" and child.children[1] == "="]
        return [child for child in named if child.children[0].value not in FOR_READERS]

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example("send(a, mandatory=True)", "send(a)"),
            Example("send(mandatory=True)", "send()"),
            Example("send(x=1, y=2)", "send( y=2)"),
        )


class DropContext(Operator):
    """Runs the body of a ``with`` that binds no name without it: without the lock, the timeout, the transaction."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        if self._counts(node):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        statement = node.children[1] if node.type == "async_stmt" else node
        prefix = node.get_first_leaf().prefix
        statement.children[:2] = [_leaf("if", prefix), _leaf("True", " ")]
        return statement

    @staticmethod
    def _counts(node: Any) -> bool:
        if node.type == "async_stmt":
            node = node.children[1]
        elif node.parent is not None and node.parent.type == "async_stmt":
            return False
        return node.type == "with_stmt" and len(node.children) == 4 and node.children[1].type != "with_item"

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example("with lock:\n    go()\n", "if True:\n    go()\n"),
            Example("async with lock:\n    go()\n", "if True:\n    go()\n"),
        )


class PlainAssignment(Operator):
    """Forgets what was there before: ``+=`` becomes ``=``."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        if node.type == "operator" and len(node.value) > 1 and node.value[-1] == "=" and node.value[0] in "+-*/&|":
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        return _leaf("=", node.prefix)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("stands &= here", "stands = here"),)


class Membership(Operator):
    """``in`` becomes ``not in`` and the other way round."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        for operator in self._operators(node):
            yield operator.start_pos, operator.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        operator = self._operators(node)[index]
        became = "not in" if operator.get_code(include_prefix=False) == "in" else "in"
        node.children[node.children.index(operator)] = _leaf(became, " ")
        return node

    @staticmethod
    def _operators(node: Any) -> list[Any]:
        if node.type != "comparison":
            return []
        return [each for each in node.children[1::2] if each.get_code(include_prefix=False) in {"in", "not in"}]

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("a in b", "a not in b"), Example("a not in b", "a in b"))


class Number(Operator):
    """Small numbers are one off, larger ones ten times off."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        if node.type == "number" and not node.value.lower().endswith("j"):
            for _ in self._others(node):
                yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        return _leaf(str(self._others(node)[index]), node.prefix)

    @staticmethod
    def _others(node: Any) -> list[float]:
        text = node.value.replace("_", "")
        value = float(text) if any(mark in text.lower() for mark in ".e") and "x" not in text.lower() else int(text, 0)
        if value in {0, 1, 2}:
            return [value + 1, value - 1]
        return [value * 10, value // 10 if isinstance(value, int) and value >= 10 else value / 10]

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("x = 1", "x = 2"), Example("x = 30", "x = 300"), Example("x = 30", "x = 3", occurrence=1))


def _leaf(code: str, prefix: str) -> Any:
    """A piece of code that stands for itself, whatever it is."""
    leaf = parso.python.tree.Name(code, (1, 0))
    leaf.prefix = prefix
    return leaf


def _function_of(node: Any) -> str:
    function = node.search_ancestor("funcdef")
    return function.name.value if function is not None else ""


def _chosen(module: Any, prefix: str, names: tuple[str, ...]) -> list[Any]:
    wanted = {f"{prefix}_{name}" for name in names}
    return [operator for operator in module.operators() if operator.__name__ in wanted]


OPERATORS: dict[str, Operator] = {
    type(each).__name__: each
    for each in (
        *(kind() for kind in _chosen(comparison_operator_replacement, "ReplaceComparisonOperator", _COMPARISONS)),
        *(kind() for kind in _chosen(binary_operator_replacement, "ReplaceBinaryOperator", _ARITHMETIC)),
        *(kind() for kind in _chosen(unary_operator_replacement, "ReplaceUnaryOperator", ("Delete_Not",))),
        Negation(),
        boolean_replacer.ReplaceTrueWithFalse(),
        boolean_replacer.ReplaceFalseWithTrue(),
        boolean_replacer.ReplaceAndWithOr(),
        boolean_replacer.ReplaceOrWithAnd(),
        break_continue.ReplaceBreakWithContinue(),
        break_continue.ReplaceContinueWithBreak(),
        exception_replacer.ExceptionReplacer(),
        zero_iteration_for_loop.ZeroIterationForLoop(),
        DropStatement(),
        DropKeywordArgument(),
        DropContext(),
        PlainAssignment(),
        Membership(),
        Number(),
        TextReplacer(),
    )
}
