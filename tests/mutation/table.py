"""What came of the mutants: kept as JSON, shown by module, and held against the survivors that were accepted."""

import json
import math
import tomllib
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mutants import HERE, Mutant, Part

ENOUGH = 0.9
"""The share of the mutants, without the accepted survivors, that the tests must notice."""
UNLIKELY = 0.01
"""A sample fails when a part in which enough is noticed would give so bad a one less often than this."""


@dataclass(frozen=True)
class Result:
    """``outcome`` is noticed, timeout (which is noticed as well), survived, or untested."""

    module: str
    operator: str
    was: str
    became: str
    line: int
    outcome: str
    noticed_by: str
    seconds: float
    diff: str

    @classmethod
    def of(cls, mutant: Mutant, outcome: str, noticed_by: str, seconds: float) -> "Result":
        module, operator, was, became = mutant.key
        return cls(module, operator, was, became, mutant.line, outcome, noticed_by, round(seconds, 1), mutant.diff)

    @property
    def noticed(self) -> bool:
        return self.outcome in {"noticed", "timeout"}

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.module, self.operator, self.was, self.became


def accepted(part: str) -> dict[tuple[str, str, str, str], str]:
    """The reason for each survivor that may stay, by module, operator, and the line before and after."""
    listed: list[dict[str, str]] = tomllib.loads((HERE / "survivors.toml").read_text()).get(part, [])
    return {(each["module"], each["operator"], each["was"], each["became"]): each["reason"] for each in listed}


def report(part: Part, results: list[Result], folder: Path, *, whole: bool, module: str | None) -> bool:
    """Prints the table; whether enough was noticed. A whole run is kept for the table of all parts."""
    harmless = accepted(part.name)
    kept = folder / f"{part.name}.json" if whole else folder / f"{part.name}.sample.json"
    previous = _load(kept) if whole and module else []
    everything = [each for each in previous if each.module != module] + results
    kept.write_text(json.dumps([asdict(each) for each in everything], indent=1))
    for each in results:
        if not each.noticed and each.key not in harmless:
            print(_to_accept(part, each))
    print("\n".join(_rows(part, results, harmless)))
    for each in results:
        if each.noticed and each.key in harmless:
            print(f"accepted as a survivor, but noticed now: {each.module}: {each.became}")
    counted = [each for each in results if each.noticed or each.key not in harmless]
    noticed = sum(each.noticed for each in counted)
    print(f"{part.name}: {noticed} of {len(counted)} mutants noticed, accepted survivors aside", flush=True)
    return enough(noticed, len(counted), whole=whole)


def enough(noticed: int, mutants: int, *, whole: bool) -> bool:
    """Of a sample: whether it may come from a part in which enough is noticed."""
    if whole:
        return noticed >= ENOUGH * mutants
    as_bad = sum(math.comb(mutants, n) * ENOUGH**n * (1 - ENOUGH) ** (mutants - n) for n in range(noticed + 1))
    return as_bad >= UNLIKELY


def _to_accept(part: Part, survivor: Result) -> str:
    """As it would stand in survivors.toml, where a reason can be given."""
    names = ("module", "operator", "was", "became")
    entries = [f"{name} = {json.dumps(getattr(survivor, name), ensure_ascii=False)}" for name in names]
    return "\n".join([f"[[{part.name}]]  # {survivor.outcome}", *entries, 'reason = ""', ""])


def _load(path: Path) -> list[Result]:
    return [Result(**each) for each in json.loads(path.read_text())] if path.exists() else []


def _rows(part: Part, results: list[Result], harmless: dict[tuple[str, str, str, str], str]) -> list[str]:
    rows = [f"{'part':9} {'module':32} {'mutants':>7} {'noticed':>7} {'accepted':>8} {'others':>6}"]
    for module in sorted({each.module for each in results}):
        rows.append(_row(part.name, module, [each for each in results if each.module == module], harmless))
    return [*rows, _row(part.name, "all", results, harmless)]


def _row(part: str, module: str, results: list[Result], harmless: Any) -> str:
    counts = Counter(
        "noticed" if each.noticed else "accepted" if each.key in harmless else "others" for each in results
    )
    numbers = f"{len(results):7} {counts['noticed']:7} {counts['accepted']:8} {counts['others']:6}"
    return f"{part:9} {module:32} {numbers}"
