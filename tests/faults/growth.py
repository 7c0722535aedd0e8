"""Whether what was measured again and again grows."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Tolerance:
    """What a line through the second half of the samples may rise: a part of their mean, and so much more."""

    relative: float
    absolute: float


@dataclass(frozen=True)
class Trend:
    """Of the second half of the samples; the first is for caches and pools to fill."""

    mean: float
    rise: float
    """From the beginning of the half to its end, by the straight line that fits best."""
    highest: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Trend":
        half = list(samples[len(samples) // 2 :])
        slope = statistics.linear_regression(range(len(half)), half).slope
        return cls(statistics.fmean(half), slope * (len(half) - 1), max(samples))

    def grows(self, tolerance: Tolerance) -> bool:
        return self.rise > self.mean * tolerance.relative + tolerance.absolute
