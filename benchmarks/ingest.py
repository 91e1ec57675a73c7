"""Seconds and peak memory of checking many rows of generated text, beside the last figures.

    python benchmarks/ingest.py CHECKPOINT [--rows 600000]

`CHECKPOINT` is a small encoder of texts. `graft check` runs in a process of its own, with an empty
cache: reading, encoding, looking for duplicates and leaks. The time is of this machine, so it means
something beside another run on the same one only; peak memory is comparable.
"""

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).parents[1]
LAST = {"rows": 600_000, "seconds": 43.7, "gib": 1.57}  # before tables were read by content
ROWS_PER_GROUP, WORDS_PER_TEXT, VOCABULARY = 20_000, 12, 5_000
SHARES = {"train": 0.9, "validation": 0.05, "test": 0.05}


def write(folder: Path, num_rows: int) -> None:
    """Write `<split>.parquet` with columns text and label, group after group."""
    chance = random.Random(0)
    words = [f"word{number}" for number in range(VOCABULARY)]
    schema = pa.schema({"text": pa.string(), "label": pa.string()})
    for split, share in SHARES.items():
        remaining = round(num_rows * share)
        with pq.ParquetWriter(folder / f"{split}.parquet", schema) as writer:
            while remaining > 0:
                size = min(ROWS_PER_GROUP, remaining)
                texts = [" ".join(chance.choices(words, k=WORDS_PER_TEXT)) for _ in range(size)]
                labels = chance.choices(["no", "yes"], k=size)
                writer.write_table(pa.table({"text": texts, "label": labels}, schema=schema))
                remaining -= size


def check(folder: Path, checkpoint: Path) -> tuple[float, float]:
    """Run `graft check`; returns its seconds and the peak of its memory in GiB."""
    recipe = folder / "ingest.yaml"
    recipe.write_text(
        f"task: text_classification\nmodel: {checkpoint.resolve()}\n"
        f"data: {{source: files, path: {folder}}}\nstrategy: full\n",
        encoding="utf-8",
    )
    environment = {**os.environ, "GRAFT_CACHE": str(folder / "cache"), "PYTHONPATH": str(ROOT)}
    environment["HF_DATASETS_CACHE"] = str(folder / "datasets")
    command = [sys.executable, "-m", "pipelines.cli", "check", str(recipe)]
    started = time.monotonic()
    subprocess.run(command, env=environment, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    # kibibytes on Linux, of the largest process that has ended
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return time.monotonic() - started, peak / 2**20


def main() -> None:
    """Generate, check, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--rows", type=int, default=LAST["rows"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), arguments.rows)
        seconds, gib = check(Path(name), arguments.checkpoint)
    print(f"{arguments.rows:,} rows: {seconds:.1f} s, {gib:.2f} GiB")
    print(f"last: {LAST['rows']:,} rows: {LAST['seconds']:.1f} s, {LAST['gib']:.2f} GiB")


if __name__ == "__main__":
    main()
