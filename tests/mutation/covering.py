"""Which tests run which lines of a part: recorded once, with coverage's contexts, and kept until anything changes."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from coverage import CoverageData
from mutants import REPOSITORY, Mutant, Part

ELSEWHERE = "process"
"""The context of what other processes run for the tests: all tests of the part may be behind it."""


@dataclass(frozen=True)
class Coverage:
    """``seconds`` of each test that succeeds, and ``lines`` as ``{module: {line: [test, ...]}}``."""

    seconds: dict[str, float]
    lines: dict[str, dict[str, list[str]]]

    def tests_of(self, mutant: Mutant) -> list[str]:
        """The tests that may notice it, quick ones first; every one of the part where that cannot be told."""
        module = self.lines.get(mutant.module, {})
        lines, in_function = mutant.lines
        recorded = [module.get(str(line), []) for line in lines] if in_function else module.values()
        found = {test for tests in recorded for test in tests}
        direct = sorted((found & self.seconds.keys()), key=self.seconds.__getitem__)
        if direct and ELSEWHERE not in found and (in_function or len(direct) > 1):
            return direct
        rest = sorted(self.seconds.keys() - set(direct), key=self.seconds.__getitem__)
        return direct + rest if ELSEWHERE in found or not in_function else direct

    def save(self, path: Path, fingerprint: str) -> None:
        path.write_text(json.dumps({"fingerprint": fingerprint, "seconds": self.seconds, "lines": self.lines}))


def load(path: Path, fingerprint: str) -> Coverage | None:
    if not path.exists():
        return None
    kept = json.loads(path.read_text())
    return Coverage(kept["seconds"], kept["lines"]) if kept["fingerprint"] == fingerprint else None


def collect(recorded: Path, source: Path, seconds: dict[str, float]) -> Coverage:
    """From the data files that coverage left, of this process and of others."""
    lines: dict[str, dict[str, list[str]]] = {}
    for file in recorded.parent.glob(f"{recorded.name}*"):
        data = CoverageData(str(file))
        data.read()
        for measured in data.measured_files():
            if not Path(measured).is_relative_to(source):
                continue
            module = lines.setdefault(str(Path(measured).relative_to(source)), {})
            for line, contexts in data.contexts_by_lineno(measured).items():
                module.setdefault(str(line), []).extend(context for context in contexts if context)
    return Coverage(seconds, lines)


def fingerprint(part: Part) -> str:
    """Of all that decides which tests run which lines."""
    content = hashlib.sha256()
    for folder in (part.source, part.tests, REPOSITORY / "kit" / "src"):
        for file in sorted(folder.rglob("*.py")):
            content.update(f"{file.relative_to(REPOSITORY)}\0".encode() + file.read_bytes())
    return content.hexdigest()
