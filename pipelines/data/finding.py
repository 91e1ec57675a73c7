"""One thing about the data that a user may want to act on, and how much it matters."""

from dataclasses import dataclass
from typing import Literal

# error: scores will mislead; warning: they may; note: good to know
Severity = Literal["error", "warning", "note"]
MAX_LEAK = 0.1  # of a split that may stand in another before its scores are called misleading


@dataclass(frozen=True)
class Finding:
    """What was seen, in words.

    Attributes:
        rows: some of the rows that show it, numbered as loaded.
    """

    severity: Severity
    message: str
    split: str | None = None
    rows: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.severity}: {self.message}"
