"""Numbers -> positions on a drawing, with round numbers beside the axis."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import Any

NUM_TICKS = 5
ROUND_STEPS = [1, 2, 2.5, 5, 10]


@dataclass(frozen=True)
class Axis:
    """A scale from numbers to pixels.

    Attributes:
        low, high: the numbers at both ends.
        start, end: the pixels of both ends; the end may be before the start, as it is upwards.
        ticks: the numbers that are written.
        is_log: whether equal ratios are equally long.
    """

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]
    is_log: bool = False

    @classmethod
    def of(
        cls,
        values: Sequence[float],
        start: float,
        end: float,
        *,
        is_log: bool = False,
        ticks: Sequence[float] = (),
    ) -> "Axis":
        """Choose ends and ticks for some values.

        Args:
            ticks: of a logarithmic axis, instead of powers of ten.
        """
        from matplotlib.ticker import MaxNLocator

        low, high = min(values), max(values)
        if is_log:
            powers = range(floor(log10(low)), floor(log10(high)) + 2)
            tens = [10.0**power for power in powers if low <= 10.0**power <= high]
            marked = tuple(ticks or tens[:: 1 + len(tens) // 7])
            return cls(low, high * (1 + (low == high)), start, end, marked, is_log)
        if low == high:
            margin = abs(low) / 10 or 1.0
            low, high = low - margin, high + margin
        locator = MaxNLocator(NUM_TICKS, steps=ROUND_STEPS)
        steps = [float(tick) for tick in locator.tick_values(low, high)]
        return cls(steps[0], steps[-1], start, end, tuple(steps))

    def at(self, value: float) -> float:
        """Return the pixel of a number, to a tenth."""
        if self.is_log:
            share = log10(value / self.low) / log10(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def marks(self) -> list[dict[str, Any]]:
        """Return the position and the text of each tick."""
        # 0.30000000000000004 is 0.3
        return [{"at": self.at(tick), "text": f"{round(tick, 10):,g}"} for tick in self.ticks]
