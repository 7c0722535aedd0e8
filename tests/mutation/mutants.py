"""The mutants of a module: where one may be made, and its code once it is wanted."""

import ast
import difflib
import random
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import parso
from cosmic_ray.ast import ast_nodes
from cosmic_ray.mutating import mutate_code
from operators import FOR_READERS, OPERATORS

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]


@dataclass(frozen=True)
class Part:
    """A package with tests of its own. ``modules`` are relative to its source."""

    name: str
    folder: Path
    package: str
    modules: tuple[str, ...]

    @property
    def source(self) -> Path:
        return self.folder / "src" / self.package

    @property
    def tests(self) -> Path:
        return self.folder / "tests"


def parts() -> dict[str, Part]:
    listed = tomllib.loads((HERE / "modules.toml").read_text())
    return {
        name: Part(name, REPOSITORY / entry["folder"], entry["package"], tuple(entry["modules"]))
        for name, entry in listed.items()
    }


@dataclass(frozen=True)
class Mutant:
    module: str
    original: str
    operator: str
    occurrence: int
    line: int
    """From 1, as of the original."""

    @cached_property
    def code(self) -> str | None:
        """The module with this one mistake in it; None where the mistake would make it no Python, or change nothing."""
        code = mutate_code(self.original, OPERATORS[self.operator], self.occurrence)
        try:
            return code if code and ast.dump(ast.parse(code)) != ast.dump(ast.parse(self.original)) else None
        except SyntaxError:
            return None

    @cached_property
    def diff(self) -> str:
        old, new = self.original.splitlines(), (self.code or "").splitlines()
        lines = difflib.unified_diff(old, new, self.module, self.module, lineterm="", n=1)
        return "\n".join(line for line in lines if line.strip())

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What an accepted survivor is known by: module, operator, the lines before and after."""
        changed = [line for line in self.diff.splitlines() if not line.startswith(("---", "+++"))]
        was, became = (_joined(changed, sign) for sign in "-+")
        return self.module, self.operator, was, became

    @cached_property
    def lines(self) -> tuple[range, bool]:
        """The lines of the statement that it is in, and whether that runs when a function is called."""
        return _statement(self.original, self.line)


def _joined(changed: list[str], sign: str) -> str:
    return " ".join(line[1:].strip() for line in changed if line.startswith(sign))


def of_module(part: Part, module: str) -> list[Mutant]:
    original = (part.source / module).read_text()
    nodes = list(ast_nodes(parso.parse(original)))
    return [
        Mutant(module, original, operator, occurrence, line)
        for operator in OPERATORS
        for occurrence, line in enumerate(_places(nodes, operator))
        if line
    ]


def sample(mutants: list[Mutant], size: int | None, seed: str) -> list[Mutant]:
    """All in a drawn order, or the first ``size`` of them."""
    drawn = random.Random(seed)  # noqa: S311 - a draw that can be repeated, no secret
    return drawn.sample(mutants, len(mutants))[:size]


def _places(nodes: list[Any], operator: str) -> Iterator[int]:
    """The line of each occurrence, as the operator counts them; 0 where a mutant would say nothing about the tests."""
    for node in nodes:
        for start, _ in OPERATORS[operator].mutation_positions(node):
            yield 0 if _says_nothing(node) else start[0]


def _says_nothing(node: Any) -> bool:
    """Within a line of the log, an annotation, or what only a type checker runs."""
    while node is not None:
        if node.type == "tfpdef" or (node.type == "annassign" and "=" not in node.children):
            return True
        if node.type == "argument" and getattr(node.children[0], "value", "") in FOR_READERS:
            return True
        if node.type == "simple_stmt":
            code = node.get_code(include_prefix=False)
            return code.startswith(("logger.", "_logger.", "import ", "from ", "__all__", "assert "))
        if node.type == "if_stmt" and "TYPE_CHECKING" in node.children[1].get_code():
            return True
        node = node.parent
    return False


def _statement(original: str, line: int) -> tuple[range, bool]:
    """The innermost statement of that line (of a compound one, its head), and whether it is in a function's body."""
    best, in_function = range(line, line + 1), False
    smallest = None
    for node in ast.walk(ast.parse(original)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = range(node.body[0].lineno, (node.end_lineno or node.lineno) + 1)
            in_function = in_function or line in body
        if isinstance(node, ast.stmt):
            inner = getattr(node, "body", None)
            end = inner[0].lineno if isinstance(inner, list) and inner else (node.end_lineno or node.lineno) + 1
            here = range(node.lineno, max(end, node.lineno + 1))
            if line in here and (smallest is None or len(here) < smallest):
                best, smallest = here, len(here)
    return best, in_function
