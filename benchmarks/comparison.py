"""Four strategies on six small data sets by `graft compare`: three seeds, verdicts on transfer.

    python benchmarks/comparison.py SHARED RESULTS [--data NAME …]

`SHARED` holds `data/<name>/<split>.parquet` and `checkpoints/<name>/`. Writes a recipe for each
data set into the folder RESULTS, runs `graft compare` on it, which goes on where it was stopped,
and prints a table of all that is done there: the main score on validation in per cent, mean and
deviation over seeds, the difference to random weights with its interval, and the verdict.

400 rows of train, 500 rows to compare by (the official validation split, else test, which chooses
nothing else), texts of at most 64 tokens. Every default is kept.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from real_data import of_side

ROOT = Path(__file__).parent.parent
LETTERS = ROOT / "recipes" / "embedded" / "letters_resnet"
MINILM, MOBILENET = "all-MiniLM-L6-v2", "mobilenetv2_100-in1k"
TEXT = {"name": "text_classification", "max_length": 64}
LIMIT = {"train": 400, "validation": 500}
VARY = "strategy=scratch,linear_probe,lora,full"
# checkpoint, pixels on a side, the table that compares, columns
DATA: dict[str, tuple[str, int | None, str, dict[str, str]]] = {
    "sst2": (MINILM, None, "validation", {"text": "sentence"}),
    "ag_news_small": (MINILM, None, "test", {"text": "text"}),
    "mrpc": (MINILM, None, "validation", {"text": "sentence1", "text_pair": "sentence2"}),
    "flowers5_128px": (MOBILENET, 128, "validation", {}),
    "cifar10_small": (MOBILENET, 96, "test", {}),
    "usps_small": ("letters_resnet", None, "test", {}),
}


def write_recipe(shared: Path, results: Path, name: str) -> Path:
    """Write the recipe of a data set."""
    checkpoint, side, table, columns = DATA[name]
    model = LETTERS if checkpoint == LETTERS.name else shared / "checkpoints" / checkpoint
    if side:
        model = of_side(model, side, results)
    splits = {"train": "train.parquet", "validation": f"{table}.parquet", "test": None}
    values = {
        "task": TEXT if checkpoint == MINILM else "image_classification",
        "model": str(model),
        "data": {
            "source": "files",
            "path": str(shared / "data" / name),
            "splits": splits,
            "limit": LIMIT,
            **({"columns": columns} if columns else {}),
        },
        "training": {"output_dir": str(results / "runs")},
    }
    path = results / f"{name}.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return path


def rows(compared: dict[str, Any]) -> list[str]:
    """Format a row for each arm, and one for each floor."""
    lines = []
    for row in compared["rows"]:
        difference = row["difference"] or {}
        bounds = [100 * bound for bound in difference.get("interval") or ()]
        interval = " ({:+.1f} to {:+.1f})".format(*bounds) if bounds else ""
        gain = f"{100 * difference['mean']:+.1f}{interval}" if difference else ""
        cells = [
            f"`{row['arm']}`",
            f"{100 * row['validation']:.1f} ± {100 * row['deviation']:.1f}",
            gain,
            difference.get("verdict") or "",
            f"{row['trainable']:,.0f}",
            f"{row['seconds']:.0f}",
            f"{row['peak_memory'] / 1e9:.1f}",
        ]
        lines.append(" | ".join(cells))
    for floors in compared["floors"]:
        for name, score in floors["scores"].items():
            lines.append(f"{name} | {100 * score:.1f} | | | | |")
    return lines


def table(results: Path) -> str:
    """Format what is done in RESULTS."""
    lines = ["| data | | accuracy | beside scratch | verdict | trained | seconds | peak GB |"]
    lines.append("|---|---|---:|---:|---|---:|---:|---:|")
    for name in DATA:
        paths = sorted((results / "runs" / "compare" / name).glob("*/comparison.json"))
        if paths and "rows" in (compared := json.loads(paths[-1].read_text())):
            lines += [f"| {name} | {row} |" for row in rows(compared)]
    return "\n".join(lines)


def main() -> None:
    """Run what RESULTS lacks of the data sets that are named, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--data", nargs="*", choices=DATA, default=[*DATA])
    parsed = parser.parse_args()
    results = parsed.results.absolute()
    results.mkdir(parents=True, exist_ok=True)
    for name in parsed.data:
        path = write_recipe(parsed.shared, results, name)
        words = ["compare", str(path), "--vary", VARY, "--seeds", "3"]
        subprocess.run([sys.executable, "-m", "pipelines.cli", *words], check=True, cwd=ROOT)
    print(table(results))


if __name__ == "__main__":
    main()
