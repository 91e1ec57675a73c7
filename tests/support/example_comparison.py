"""A comparison that was run: its folder as `graft compare` leaves it, without training anything."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from report_files import Page

from pipelines.evaluation.compared import ComparedArm, ComparedRun
from pipelines.evaluation.comparison import Comparison
from pipelines.report import strict_json
from pipelines.report.page.comparison import document

SCORES = {
    "scratch": (0.50, 0.55, 0.52),
    "linear_probe": (0.66, 0.67, 0.66),
    "full": (0.70, 0.72, 0.78),
}
FLOORS = {"baseline": 0.4, "bag of words": 0.61}


def run_of(arm: str, seed: int, score: float, fraction: float = 1.0, **changes: Any) -> ComparedRun:
    """A run whose score rises in three evaluations; what is solved has none."""
    score = score * fraction**0.1
    rising = tuple((step, score - (300 - step) / 3000) for step in (100.0, 200.0, 300.0))
    facts: dict[str, Any] = {
        "arm": arm,
        "seed": seed,
        "fraction": fraction,
        "folder": f"cells/{arm}_{fraction:g}/{seed}",
        "validation": score,
        "test": score - 0.01,
        "floors": FLOORS,
        "trainable": 1234.0,
        "parameters": 5678.0,
        "seconds": 12.5,
        "peak_memory": 2.0**30,
        "energy": 3600.0,
        "examples": {"train": round(1000 * fraction), "validation": 200},
        "curve": () if arm == "linear_probe" else rising,
    }
    return ComparedRun(**{**facts, **changes})


def comparison(
    fractions: Sequence[float] = (1.0,), num_seeds: int = 3, name: str = "full", **changes: Any
) -> Comparison:
    """Three strategies; the last one has a name."""
    names = [*[*SCORES][:-1], name]
    arms = [ComparedArm("scratch", "scratch", "owner/model")]
    arms += [
        ComparedArm(each, each, "owner/model", "scratch", True, (f"strategy={each}",))
        for each in names[1:]
    ]
    runs = []
    for fraction in fractions:
        for arm, scores in zip(names, SCORES.values(), strict=True):
            pairs = enumerate(scores[:num_seeds], 42)
            runs += [run_of(arm, seed, score, fraction, **changes) for seed, score in pairs]
    return Comparison(
        "accuracy", True, tuple(arms), tuple(runs), "3 epochs in steps of 16 examples"
    )


def folder_of(root: Path, compared: Comparison, **identity: Any) -> Path:
    """The folder of a comparison."""
    recipe = {"task": "text_classification", "model": "/home/me/model"}
    fields = {"recipe": recipe, "vary": {"strategy": ",".join(SCORES)}, "folds": False}
    folder = root / "runs" / "compare" / "bert_sst2" / "1"
    folder.mkdir(parents=True)
    values = {"identity": {**fields, **identity}, **compared.json()}
    strict_json.write(folder / "comparison.json", values)
    return folder


def draw(folder: Path) -> Page:
    """Draw a comparison's page and read it."""
    return Page(document.write(folder).read_text(encoding="utf-8"))
