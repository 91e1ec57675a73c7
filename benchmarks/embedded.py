"""What the embedded checkpoint is worth: handwritten digits from few examples a class.

    python benchmarks/embedded.py

Grafts it onto scikit-learn's digits by full fine-tuning and by a linear probe, against the same
architecture from random weights (`scratch`, at two rates), over five seeds. A seed draws the
examples, the splits and the new weights. Prints mean and deviation of test accuracy; validation
chooses, test is scored once for each run.
"""

import json
import tempfile
from pathlib import Path

from spread import mean_and_deviation

from pipelines import recipe
from pipelines.workflow import run as pipeline

RECIPE = Path(__file__).parent.parent / "recipes" / "quickstart.yaml"
SEEDS = range(5)
PER_CLASS = (3, 10)
SETTINGS = {
    "full": ["strategy=full"],
    "linear_probe": ["strategy=linear_probe"],
    "scratch, rate 1e-3": ["strategy=scratch", "training.learning_rate=1e-3"],
    "scratch, rate 3e-3": ["strategy=scratch", "training.learning_rate=3e-3"],
}


def accuracy(overrides: list[str], per_class: int, seed: int, runs: str) -> float:
    """Return the test accuracy of one run, in per cent."""
    overrides = [
        *overrides,
        f"data.limit.train={10 * per_class}",
        f"training.seed={seed}",
        f"training.output_dir={runs}",
    ]
    folder = pipeline.run(recipe.load(RECIPE, overrides))
    return 100 * json.loads(folder.metrics.read_text())["test"]["accuracy"]


def main() -> None:
    """Run everything and print a table."""
    rows = []
    with tempfile.TemporaryDirectory() as runs:
        for name, overrides in SETTINGS.items():
            cells = []
            for per_class in PER_CLASS:
                scores = [accuracy(overrides, per_class, seed, runs) for seed in SEEDS]
                cells.append(mean_and_deviation(scores))
            rows.append(f"| {name} | {' | '.join(cells)} |")
    print("\n| test accuracy, % |", " | ".join(f"{n} a class" for n in PER_CLASS), "|")
    print("|---|" + "---|" * len(PER_CLASS))
    print(*rows, sep="\n")


if __name__ == "__main__":
    main()
