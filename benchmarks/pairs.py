"""Pairs of texts for a frozen encoder: both in one sequence, or each with a vector of its own.

    python benchmarks/pairs.py SHARED [--data NAME …] [--sizes 16 64 300] [--draws 1 2 3]

`SHARED` holds `data/banking77`, `data/squad_xquad_en` and `checkpoints/all-MiniLM-L6-v2`. Two kinds
of pairs are made of them: questions to a bank that have one intent, or two; and a question with a
sentence of its context that holds the answer, or does not. `linear_probe`, with each value of
`pairs`, is trained on SIZES pairs, half of each class, without a validation split, and scored on
500 others. Prints accuracy in per cent with its deviation over draws.
"""

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path
from random import Random
from typing import Any

Pair = dict[str, str]
PAIRS = ("together", "apart", "auto")
NUM_PAIRS, NUM_TEST = 2_000, 500
MIN_CHARACTERS = 20  # of a sentence


def intents(shared: Path) -> Iterator[Pair]:
    """Yield two questions each, which have one intent or two, in turn."""
    random, texts = Random(0), {}
    for row in _rows(shared / "data" / "banking77" / "train.parquet"):
        texts.setdefault(row["label"], []).append(row["text"])
    while True:
        one, other = random.sample(sorted(texts), 2)
        first, same = random.sample(texts[one], 2)
        yield {"text": first, "text_pair": same, "label": "same"}
        yield {"text": first, "text_pair": random.choice(texts[other]), "label": "other"}


def answers(shared: Path) -> Iterator[Pair]:
    """Yield questions, each with a sentence that has the answer, or one that has not."""
    random = Random(0)
    for row in _rows(shared / "data" / "squad_xquad_en" / "validation.parquet"):
        answer = row["answers"]["text"][0]
        sentences = [s for s in row["context"].split(". ") if len(s) > MIN_CHARACTERS]
        having = [sentence for sentence in sentences if answer in sentence]
        others = [sentence for sentence in sentences if answer not in sentence]
        if having and others:
            label = random.choice(("yes", "no"))
            chosen = random.choice(having if label == "yes" else others)
            yield {"text": row["question"], "text_pair": chosen, "label": label}


DATA = {"same intent": intents, "sentence has the answer": answers}


def _rows(file: Path) -> Any:
    from datasets import load_dataset

    return load_dataset("parquet", data_files=str(file), split="train")


def draw(pairs: list[Pair], size: int, seed: int) -> list[Pair]:
    """Draw pairs, as many of each class."""
    labels, drawn = sorted({pair["label"] for pair in pairs}), []
    for label in labels:
        of_label = [pair for pair in pairs if pair["label"] == label]
        drawn += Random(seed).sample(of_label, size // len(labels))
    return drawn


def accuracy(shared: Path, train: list[Pair], test: list[Pair], pairs: str) -> float:
    """Run the recipe, and score it on test."""
    from datasets import Dataset

    import pipelines as graft

    with tempfile.TemporaryDirectory() as folder:
        for split, rows in (("train", train), ("test", test)):
            Dataset.from_list(rows).to_parquet(f"{folder}/{split}.parquet")
        recipe = {
            "task": "text_classification",
            "model": str(shared / "checkpoints" / "all-MiniLM-L6-v2"),
            "data": {"source": "files", "path": folder},
            "strategy": {"name": "linear_probe", "pairs": pairs},
            "training": {"output_dir": f"{folder}/runs"},
            "printed_lines": False,
        }
        return float(graft.run(graft.Recipe.from_dict(recipe)).metrics["test"]["accuracy"])


def cells(shared: Path, rows: list[Pair], size: int, draws: list[int]) -> Iterator[str]:
    """Yield mean and deviation of each value of `pairs`."""
    test, rest = rows[:NUM_TEST], rows[NUM_TEST:]
    for pairs in PAIRS:
        scores = [100 * accuracy(shared, draw(rest, size, seed), test, pairs) for seed in draws]
        spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
        yield f"{statistics.mean(scores):.1f} ± {spread:.1f}"


def main() -> None:
    """Run all, and print a row of the table for each data set and size."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("shared", type=lambda text: Path(text).resolve())
    parser.add_argument("--data", nargs="+", choices=DATA, default=[*DATA])
    parser.add_argument("--sizes", nargs="+", type=int, default=[16, 64, 300])
    parser.add_argument("--draws", nargs="+", type=int, default=[1, 2, 3])
    parsed = parser.parse_args()
    print(f"| pairs | rows | {' | '.join(PAIRS)} |", "|---|--:|--:|--:|--:|", sep="\n")
    for name, size in product(parsed.data, parsed.sizes):
        rows = [*islice(DATA[name](parsed.shared), NUM_PAIRS)]
        Random(1).shuffle(rows)
        row = cells(parsed.shared, rows, size, parsed.draws)
        print(f"| {name} | {size} | {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
