from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """``remedy`` says what to do, unless all is well."""

    state: Literal["ok", "warning", "problem"]
    subject: str
    finding: str
    remedy: str = ""


def ok(subject: str, finding: str) -> Finding:
    return Finding("ok", subject, finding)


def warning(subject: str, finding: str, remedy: str) -> Finding:
    return Finding("warning", subject, finding, remedy)


def problem(subject: str, finding: str, remedy: str) -> Finding:
    return Finding("problem", subject, finding, remedy)


def clock(subject: str, seconds: float) -> Finding:
    """``seconds`` is how much its clock differs from that of this machine."""
    if abs(seconds) <= MAX_SKEW:
        return ok(subject, f"its clock differs by {abs(seconds):.1f} s")
    return warning(
        subject,
        f"its clock differs from this machine's by {abs(seconds):.0f} s",
        "Synchronise the clocks (NTP): tokens expire by them.",
    )


MAX_SKEW = 2.0  # seconds; a token of one machine may otherwise not be valid yet on another
