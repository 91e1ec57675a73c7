"""Adapting to the texts of a task first: is a stage of `masked_lm` worth what it costs?

    python benchmarks/tapt.py SHARED RESULTS [--domain NAME …] [--seed N …]

`SHARED` holds `data/<name>/…parquet` and `checkpoints/all-MiniLM-L6-v2/`, whose tokenizer is
trained anew. The encoder, a BERT of two layers, knows news only: it is pretrained with masks on AG
News, once, and kept beside the file RESULTS. Texts of the task are reviews of one kind of product;
`masked_lm` reads those of train, without labels and without the texts of test (2004.10964). Then a
few of them have labels. Every seed draws splits and batches anew, the same for all arms, and each
of its runs is a line of RESULTS; what is there already is not run again. Prints accuracy on test in
per cent, mean and deviation over seeds, and the difference that is paired by seed.
"""

import json
import shutil
import tempfile
from collections import defaultdict
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from bare_recipe import BARE, run
from spread import mean_and_deviation
from sweep import Sweep

SEEDS = (1, 2, 3)
DOMAINS = ("kitchen", "books")
ARMS = ("none", "TAPT")
STRATEGIES = ("full", "linear_probe")
VOCABULARY, BLOCK_TOKENS, TEXT_TOKENS = 4000, 64, 128
NUM_LABELED = 200
PRETRAINING = {"max_steps": 800, "learning_rate": 2e-3}
ADAPTING = {"num_train_epochs": 5, "learning_rate": 1e-3}
CLASSIFYING = {"max_steps": 90, "learning_rate": 5e-4}
QUIET: dict[str, Any] = {**BARE, "name": "benchmark", "early_stopping": None}
MASKED = {"name": "masked_lm", "block_size": BLOCK_TOKENS}


def encoder(shared: Path, folder: Path) -> Path:
    """Return the folder of the encoder that knows news; it is pretrained if it is not there."""
    if folder.exists():
        return folder
    news = shared / "data" / "ag_news_small"
    with tempfile.TemporaryDirectory() as work:
        words = shared / "checkpoints" / "all-MiniLM-L6-v2"
        checkpoint = small_bert(news, words, Path(work) / "random")
        data = {"source": "files", "path": str(news)}
        splits = {"train": "test.parquet", "validation": "train.parquet", "test": None}
        values = {
            **QUIET,
            "task": MASKED,
            "model": str(checkpoint),
            "data": {**data, "splits": splits, "limit": {"validation": 200}},
            "strategy": "scratch",
            "training": {**training(PRETRAINING, 32, 0), "output_dir": work},
        }
        shutil.copytree(run(values).model, folder)
    return folder


def small_bert(news: Path, like: Path, folder: Path) -> Path:
    """Save a BERT of two layers with random weights, and a tokenizer of the words of news."""
    from datasets import load_dataset
    from transformers import AutoTokenizer, BertConfig, BertForMaskedLM

    rows = load_dataset("parquet", data_files=str(news / "test.parquet"), split="train")
    tokenizer = AutoTokenizer.from_pretrained(like).train_new_from_iterator(
        iter([rows["text"][:]]), VOCABULARY
    )
    tokenizer.save_pretrained(folder)
    sizes = {"hidden_size": 128, "num_hidden_layers": 2, "intermediate_size": 512}
    config = BertConfig(vocab_size=len(tokenizer), num_attention_heads=2, **sizes)
    config.pad_token_id = tokenizer.pad_token_id
    BertForMaskedLM(config).save_pretrained(folder)
    return folder


def training(values: dict[str, Any], rows: int, seed: int) -> dict[str, Any]:
    """Return a section of training whose last checkpoint counts."""
    steady = {"per_device_train_batch_size": rows, "seed": seed, "eval_strategy": "no"}
    return {**values, **steady}


def recipes(
    model: Path, shared: Path, domain: str, seed: int, runs: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the recipe of the task alone, and the one with the stage before it."""
    data = {
        "source": "files",
        "path": str(shared / "data" / "amazon_multidomain" / f"{domain}.parquet"),
        "columns": {"text": "text", "label": "label"},
        "splits": {"validation": 0.05, "test": 0.45},
    }
    limit = {"limit": {"train": NUM_LABELED}}
    task = {
        "task": {"name": "text_classification", "max_length": TEXT_TOKENS},
        "strategy": "full",
        "calibration": None,
        "data": limit,
        "training": training(CLASSIFYING, 16, seed),
    }
    adapting = {
        "task": MASKED,
        "strategy": "full",
        "training": training(ADAPTING, 32, seed),
    }
    common = {**QUIET, "model": str(model)}
    alone = {"data": {**data, **limit}, "training": {**task["training"], "output_dir": runs}}
    staged = {"data": data, "training": {"output_dir": runs}, "stages": [adapting, task]}
    return {**common, **task, **alone}, {**common, **staged}


def run_stages(values: dict[str, Any]) -> Any:
    """Run a recipe with stages and return its folder."""
    from pipelines.recipe import staged as recipe
    from pipelines.workflow import staged

    return staged.run(recipe.from_values(values))


def measure(sweep: Sweep, domain: str, seed: int) -> list[dict[str, Any]]:
    """Train and score both strategies, with the stage before and without it."""
    model = encoder(sweep.shared, sweep.results.parent / "small of news")
    results = []
    with tempfile.TemporaryDirectory() as runs:
        alone, with_stage = recipes(model, sweep.shared, domain, seed, runs)
        whole = run_stages(with_stage)
        folders = {("none", "full"): run(alone), ("TAPT", "full"): whole}
        adapted = whole.path / "1-masked_lm" / "model"
        for arm, start in (("none", model), ("TAPT", adapted)):
            probe = {**alone, "model": str(start), "strategy": "linear_probe"}
            probe["training"] = {"seed": seed, "output_dir": runs}
            folders[arm, "linear_probe"] = run(probe)
        for (arm, strategy), folder in folders.items():
            score = json.loads(folder.metrics.read_text())["test"]["accuracy"]
            place = {"domain": domain, "strategy": strategy, "arm": arm}
            results.append({**place, "seed": seed, "accuracy": score})
    return results


def table(results: list[dict[str, Any]]) -> str:
    """Format both arms and their difference: a row for each encoder, domain and strategy."""
    scores: dict[tuple[str, ...], dict[int, float]] = defaultdict(dict)
    for result in results:
        key = tuple(result[name] for name in ("domain", "strategy", "arm"))
        scores[key][result["seed"]] = 100 * result["accuracy"]
    lines = [
        "| reviews | strategy | none | TAPT | difference |",
        "|---|---|--:|--:|--:|",
    ]
    for domain, strategy in product(DOMAINS, STRATEGIES):
        none, tapt = (scores[domain, strategy, arm] for arm in ARMS)
        if none:
            gaps = [tapt[seed] - score for seed, score in none.items()]
            cells = " | ".join(map(mean_and_deviation, ([*none.values()], [*tapt.values()], gaps)))
            lines.append(f"| {domain} | `{strategy}` | {cells} |")
    return "\n".join(lines)


def main() -> None:
    """Run what RESULTS lacks, and print the table."""
    sweep = Sweep.parsed(__doc__, seed=SEEDS, domain=DOMAINS)
    print(table(sweep.complete(partial(measure, sweep))))


if __name__ == "__main__":
    main()
