"""Pairs of texts: in one sequence or each with a vector of its own, by a probe or by training.

    python benchmarks/pairs.py SHARED RESULTS [--data NAME …] [--arms NAME …] [--sizes 16 64 300]
        [--draws 1 2 3]

`SHARED` holds `data/banking77`, `data/squad_xquad_en`, `data/sst2` and
`checkpoints/all-MiniLM-L6-v2`. Three kinds of pairs are made of them: questions to a bank that have
one intent, or two; a question with a sentence of its context that holds the answer, or does not;
and sentences about films that agree, or do not. An arm is trained on SIZES pairs, half of each
class, without a validation split, and scored on 500 others. A run is a line of RESULTS, and what is
there already is not run again.

Prints accuracy in per cent with its deviation over draws, and the strategy that `auto` chose.
"""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path
from random import Random
from typing import Any

import resumable
from spread import mean_and_deviation

Pair = dict[str, str]
Line = dict[str, Any]
# where texts are read; or a strategy with its defaults
ARMS: dict[str, dict[str, str]] = {
    "together": {"name": "linear_probe", "pairs": "together"},
    "apart": {"name": "linear_probe", "pairs": "apart"},
    **{name: {"name": name} for name in ("linear_probe", "lp_ft", "full", "auto")},
}
MAX_PAIRS, NUM_TEST = 6_000, 500
MIN_CHARACTERS = 20  # of a sentence


def intents(shared: Path) -> Iterator[Pair]:
    """Return two questions each, which have one intent or two, in turn."""
    texts = _by_label(shared / "data" / "banking77" / "train.parquet", "text")
    return _alternating(texts, "same", "other")


def answers(shared: Path) -> Iterator[Pair]:
    """Yield each question with a sentence that has the answer, then with one that has not."""
    random = Random(0)
    for row in _rows(shared / "data" / "squad_xquad_en" / "validation.parquet"):
        answer = row["answers"]["text"][0]
        sentences = [s for s in row["context"].split(". ") if len(s) > MIN_CHARACTERS]
        having = [sentence for sentence in sentences if answer in sentence]
        others = [sentence for sentence in sentences if answer not in sentence]
        if having and others:
            for label, choices in (("yes", having), ("no", others)):
                chosen = random.choice(choices)
                yield {"text": row["question"], "text_pair": chosen, "label": label}


def opinions(shared: Path) -> Iterator[Pair]:
    """Return two sentences each, which are for or against a film both, or not, in turn."""
    texts = _by_label(shared / "data" / "sst2" / "train.parquet", "sentence")
    return _alternating(texts, "agree", "differ")


def _alternating(texts: dict[int, list[str]], same: str, other: str) -> Iterator[Pair]:
    """Yield a text with one of its own label, then with one of another, without end.

    Args:
        same, other: the labels of these pairs.
    """
    random = Random(0)
    while True:
        its_label, another = random.sample(sorted(texts), 2)
        first, second = random.sample(texts[its_label], 2)
        yield {"text": first, "text_pair": second, "label": same}
        yield {"text": first, "text_pair": random.choice(texts[another]), "label": other}


DATA = {
    "same intent": intents,
    "sentence has the answer": answers,
    "same opinion": opinions,
}


def _rows(file: Path) -> Any:
    from datasets import load_dataset

    return load_dataset("parquet", data_files=str(file), split="train")


def _by_label(file: Path, column: str) -> dict[int, list[str]]:
    """Collect the texts of each label."""
    texts: dict[int, list[str]] = {}
    for row in _rows(file):
        if len(row[column]) > MIN_CHARACTERS:
            texts.setdefault(row["label"], []).append(row[column])
    return texts


def draw(pairs: list[Pair], size: int, seed: int) -> list[Pair]:
    """Draw pairs, as many of each class."""
    labels, drawn = sorted({pair["label"] for pair in pairs}), []
    for label in labels:
        of_label = [pair for pair in pairs if pair["label"] == label]
        drawn += Random(seed).sample(of_label, size // len(labels))
    return drawn


def run(shared: Path, train: list[Pair], test: list[Pair], arm: str) -> Line:
    """Run the recipe of an arm; returns its strategy, accuracy on test and seconds."""
    from datasets import Dataset

    import pipelines as graft

    with tempfile.TemporaryDirectory() as folder:
        for split, rows in (("train", train), ("test", test)):
            Dataset.from_list(rows).to_parquet(f"{folder}/{split}.parquet")
        recipe = {
            "task": "text_classification",
            "model": str(shared / "checkpoints" / "all-MiniLM-L6-v2"),
            "data": {"source": "files", "path": folder},
            "strategy": ARMS[arm],
            "training": {"output_dir": f"{folder}/runs"},
            "printed_lines": False,
        }
        started = time.monotonic()
        done = graft.run(graft.Recipe.from_dict(recipe))
        return {
            "strategy": done.metrics["strategy"],
            "score": 100 * float(done.metrics["test"]["accuracy"]),
            "seconds": round(time.monotonic() - started, 1),
        }


def key_of(line: Line) -> tuple[Any, ...]:
    """What a run is known by."""
    return tuple(line[name] for name in ("data", "size", "draw", "arm"))


def run_all(parsed: argparse.Namespace) -> None:
    """Run what is lacking, and append a line for each."""
    done = {key_of(line) for line in resumable.lines(parsed.results)}
    for name, size in product(parsed.data, parsed.sizes):
        pairs = [*islice(DATA[name](parsed.shared), MAX_PAIRS)]
        # the first ones: both pairs of a question are in test, or none is
        test, rest = pairs[:NUM_TEST], pairs[NUM_TEST:]
        for seed, arm in product(parsed.draws, parsed.arms):
            line = {"data": name, "size": size, "draw": seed, "arm": arm}
            if key_of(line) in done:
                continue
            line |= run(parsed.shared, draw(rest, size, seed), test, arm)
            resumable.append(parsed.results, line)


def table(parsed: argparse.Namespace, lines: list[Line]) -> Iterator[str]:
    """Yield a row for each data set and size."""
    yield f"| pairs | rows | {' | '.join(f'`{arm}`' for arm in parsed.arms)} |"
    yield f"|---|--:|{'--:|' * len(parsed.arms)}"
    for name, size in product(parsed.data, parsed.sizes):
        cells = []
        for arm in parsed.arms:
            keys = {(name, size, seed, arm) for seed in parsed.draws}
            cells.append(_cell(arm, [line for line in lines if key_of(line) in keys]))
        yield f"| {name} | {size:,} | {' | '.join(cells)} |"


def _cell(arm: str, lines: list[Line]) -> str:
    """Write mean and deviation of the draws, and what was chosen in how many of them."""
    if not lines:
        return ""
    chosen = Counter(line["strategy"] for line in lines) if arm == "auto" else {}
    names = "".join(f", `{name}` {count}" for name, count in chosen.items())
    return mean_and_deviation([line["score"] for line in lines]) + names


def main() -> None:
    """Run what is lacking and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("shared", type=lambda text: Path(text).resolve())
    parser.add_argument("results", type=Path)
    parser.add_argument("--data", nargs="+", choices=DATA, default=[*DATA])
    parser.add_argument(
        "--arms", nargs="+", choices=ARMS, default=["together", "apart", "linear_probe"]
    )
    parser.add_argument("--sizes", nargs="+", type=int, default=[16, 64, 300])
    parser.add_argument("--draws", nargs="+", type=int, default=[1, 2, 3])
    parsed = parser.parse_args()
    run_all(parsed)
    print(*table(parsed, resumable.lines(parsed.results)), sep="\n")


if __name__ == "__main__":
    main()
