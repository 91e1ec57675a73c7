"""What is best, what pretrained weights are worth, and what to do next."""

import shlex
from collections.abc import Iterator
from typing import Any

from pipelines.report import comparison_text, transfer_text
from pipelines.report.page import wording
from pipelines.report.page.comparison.comparison_files import ComparisonFiles
from pipelines.report.privacy import without_paths

TITLE = "What came of it, and what to do next"
MAX_CHARACTERS = 600
KINDS = {"positive": "good", "negative": "error", "ambiguous": "warning"}


def view(files: ComparisonFiles) -> dict[str, Any]:
    """Return sentences, a verdict on each transfer, and the line that saves the best model."""
    compared = files.compared
    sentences = [line.removeprefix("WARNING: ") for line in comparison_text.best(compared)]
    return {
        "sentences": [_sentence(line) for line in sentences],
        "transfers": [*_transfers(files)],
        "methods": [_sentence(line) for line in comparison_text.method(compared)],
        "command": _command(files),
    }


def _transfers(files: ComparisonFiles) -> Iterator[dict[str, str]]:
    """Yield what pretrained weights are worth, for each arm beside scratch and share of train."""
    compared = files.compared
    for fraction in reversed(compared.fractions):
        for arm in compared.arms:
            measured = compared.transfer(arm, fraction)
            if measured:
                text = transfer_text.verdict(measured).partition(": ")[2]
                yield {
                    "label": wording.plain(comparison_text.label_of(arm.name, fraction), 100),
                    "verdict": measured.verdict,
                    "kind": KINDS[measured.verdict],
                    "text": wording.plain(text, MAX_CHARACTERS),
                    "advice": _sentence(transfer_text.advice(measured)),
                }


def _command(files: ComparisonFiles) -> str:
    """Return the line that runs the best arm and keeps its model."""
    compared = files.compared
    best = compared.best(compared.fractions[-1])
    overrides = next((arm.overrides for arm in compared.arms if arm.name == best), ())
    # where the recipe lies is not written down
    words = ["graft", "run", "RECIPE", *map(str, without_paths(overrides))]
    return wording.plain(shlex.join(words), MAX_CHARACTERS)


def _sentence(line: str) -> str:
    return wording.plain(f"{line[:1].upper()}{line[1:]}.", MAX_CHARACTERS)
