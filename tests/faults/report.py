"""The table of all faults, printed at the end and kept beside the tests."""

from dataclasses import dataclass
from pathlib import Path

from clients import Journal

FOLDER = Path(__file__).parent / ".report"
HEADER = (
    "| part | fault | requests | failed | lost | half-done | wrong | mails twice | slowest s | recovered after s |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Row:
    part: str
    fault: str
    journal: Journal
    recovered: float

    def details(self) -> str:
        """What failed, and what was wrong."""
        journal = self.journal
        kinds = {"lost": journal.lost, "half-done": journal.halves, "wrong": journal.wrong, "twice": journal.twice}
        lines = [f"  {kind}: {each}\n" for kind, complaints in kinds.items() for each in complaints]
        failures = [f"  failed: {number} × {what}\n" for what, number in journal.failing.most_common()]
        return f"{self.part} {self.fault}, slowest: {journal.slowest}\n" + "".join([*failures, *lines])

    def __str__(self) -> str:
        journal = self.journal
        failures = journal.failures
        by_status = ", ".join(f"{number} × {status or 'cut'}" for status, number in failures.items())
        failed = f"{sum(failures.values())} ({by_status})" if failures else "0"
        complaints = (journal.lost, journal.halves, journal.wrong, journal.twice)
        cells = [self.part, self.fault, journal.requests, failed, *map(len, complaints), f"{journal.slowest[0]:.1f}"]
        return f"| {' | '.join(map(str, cells))} | {self.recovered:.1f} |"


def table(rows: list[Row]) -> str:
    return "\n".join([HEADER, *map(str, rows)])


def save(rows: list[Row]) -> None:
    """The table, and beside it what failed and what was wrong."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "faults.md").write_text(table(rows) + "\n")
    (FOLDER / "details.txt").write_text("".join(row.details() for row in rows))
