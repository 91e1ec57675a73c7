"""Strategies beside each other on small and large data: scores, spread, cost.

    python benchmarks/strategies.py SHARED RESULTS [--data NAME …] [--arms NAME …]
        [--processes 2] [--steps N]

`SHARED` holds `data/<name>/<split>.parquet` and `checkpoints/<name>/`. Every run is a line of the
file RESULTS; what is there already is not run again: a killed benchmark goes on. Then prints two
tables: test accuracy in per cent, mean and deviation over three seeds, each with its own draw of
examples, which all strategies share; and the regret of choosing one strategy for everything, or of
letting `auto` choose: how far it stays behind the one that is best there.

All that differs from a strategy's defaults: at least STEPS steps, where a few examples would be
seen by a handful, or as many as `--steps` says; and four evaluations on the way. Validation
chooses, test is scored once.
"""

import argparse
import contextlib
import io
import json
import multiprocessing
import resource
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from itertools import product
from math import ceil
from pathlib import Path
from typing import Any

SEEDS = (1, 2, 3)
STEPS, BATCH = 90, 16
SIZES: dict[str, int | None] = {"8": 8, "32": 32, "all": None}  # examples of each class
Said = tuple[Path, str, str, str, int, int | None]  # shared, data, size, arm, seed, steps
ARMS: dict[str, dict[str, Any]] = {
    "linear_probe": {"strategy": "linear_probe"},
    "full": {"strategy": "full"},
    "lora": {"strategy": "lora"},
    "gradual_unfreezing": {"strategy": "gradual_unfreezing"},
    "lp_ft": {"strategy": "lp_ft"},
    "lp_ft, wise_ft": {"strategy": "lp_ft", "averaging": {"wise_ft": True}},
}
AUTO = "auto"  # decides, and has the result of the run that it would be
MINILM, MOBILENET = "all-MiniLM-L6-v2", "mobilenetv2_100-in1k"
TEXT = {"task": {"name": "text_classification", "max_length": 64}, "model": MINILM}
IMAGE = {"task": "image_classification", "model": MOBILENET}
# classes, at most as many examples in all, columns
DATA: dict[str, tuple[dict[str, Any], int, int, dict[str, str]]] = {
    "sst2": (TEXT, 2, 1000, {"text": "sentence"}),
    "banking77": (TEXT, 77, 2464, {"text": "text"}),
    "flowers5_128px": (IMAGE, 5, 1000, {}),
    "ag_news_small": (TEXT, 4, 128, {"text": "text"}),  # few examples only: an hour less
    "cifar10_small": (IMAGE, 10, 320, {}),
    "mrpc": (TEXT, 2, 1000, {"text": "sentence1", "text_pair": "sentence2"}),
}


def recipe_of(said: Said, runs: str) -> dict[str, Any]:
    """The sections of one run."""
    shared, data, size, arm, seed, asked = said
    sections, classes, most, columns = DATA[data]
    rows = min(most, (SIZES[size] or most) * classes)
    epochs = max(3, ceil(STEPS / ceil(rows / BATCH)))
    steps = asked or epochs * ceil(rows / BATCH)
    length = {"max_steps": asked} if asked else {"num_train_epochs": epochs}
    training = {**length, "eval_strategy": "steps", "eval_steps": ceil(steps / 4)}
    batch = {"per_device_train_batch_size": BATCH, "seed": seed, "output_dir": runs}
    return {
        **sections,
        "name": "benchmark",
        "model": str(_checkpoint(shared, sections["model"], runs)),
        "data": {
            "source": "files",
            "path": str(shared / "data" / data),
            "columns": columns,
            # GLUE hides the labels of its test: validation stands for it
            "splits": {"validation": 0.2, "test": "validation" if data == "sst2" else "test"},
            # as few to choose by as there are to learn from
            "limit": {"train": rows, "validation": max(ceil(rows / 4), 2 * classes), "test": 1000},
        },
        "training": training | batch,
        "early_stopping": None,
        **ARMS.get(arm, {"strategy": arm}),
    }


def _checkpoint(shared: Path, name: str, runs: str) -> Path:
    """Images of 96 pixels: a step is shorter."""
    import shutil

    source = shared / "checkpoints" / name
    if name != MOBILENET:
        return source
    copy = Path(runs) / name
    shutil.copytree(source, copy, dirs_exist_ok=True)
    config = json.loads((copy / "config.json").read_text())
    config["pretrained_cfg"]["input_size"] = [3, 96, 96]
    (copy / "config.json").write_text(json.dumps(config))
    return copy


def choose(said: Said) -> dict[str, Any]:
    """What `auto` would be, without training it."""
    with _recipe(said) as recipe:
        from pipelines.workflow import run as pipeline

        chosen = pipeline.prepare(recipe).recipe
    arm = chosen.strategy.name + (", wise_ft" if chosen.averaging.wise_ft else "")
    return {**_key(said), "chosen": arm, "reason": chosen.strategy.reason}


def run(said: Said) -> dict[str, Any]:
    """One run, in a process of its own."""
    if said[3] == AUTO:
        return choose(said)
    with _recipe(said) as recipe:
        from pipelines.workflow import run as pipeline

        metrics = json.loads(pipeline.run(recipe).metrics.read_text())
    return {
        **_key(said),
        "examples": metrics["examples"]["train"],
        "validation": metrics["validation"]["accuracy"],
        "test": metrics["test"]["accuracy"],
        "trainable": metrics["training"]["trainable_parameters"],
        "seconds": metrics["training"]["seconds"],
        "gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def _key(said: Said) -> dict[str, Any]:
    return dict(zip(("data", "size", "arm", "seed"), said[1:5], strict=True))


@contextlib.contextmanager
def _recipe(said: Said) -> Iterator[Any]:
    """The recipe of a run, for as long as its folder is there; nothing is printed."""
    import yaml

    from pipelines import recipe

    with tempfile.TemporaryDirectory() as runs, contextlib.redirect_stdout(io.StringIO()):
        file = Path(runs) / "benchmark.yaml"
        file.write_text(yaml.safe_dump(recipe_of(said, runs)))
        yield recipe.load(file)


def rounds(said: argparse.Namespace) -> list[Any]:
    """Everything that was asked for, from the file or from a new run."""
    results, shared = said.results, said.shared.resolve()
    done = (
        [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    )
    known = {(r["data"], r["size"], r["arm"], r["seed"]) for r in done}
    asked = [key for key in product(said.data, SIZES, said.arms, SEEDS) if _is_size_of(*key[:2])]
    todo = [key for key in asked if key not in known]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["transformers.trainer", "pipelines.workflow.run"])
    with context.Pool(said.processes, maxtasksperchild=1) as pool, results.open("a") as file:
        for found in pool.imap(run, [(shared, *key, said.steps) for key in todo]):
            file.write(json.dumps(found) + "\n")
            file.flush()
            done.append(found)
    return done


def _is_size_of(data: str, size: str) -> bool:
    """Not twice the same number of examples."""
    _, classes, most, _ = DATA[data]
    return size != "all" or most > classes * max(n for n in SIZES.values() if n)


def table(done: list[dict[str, Any]]) -> Iterator[str]:
    """A line for each strategy on each data set; the best mean is bold."""
    yield "| data | examples | strategy | test accuracy | trainable | seconds | peak GB |"
    yield "|---|---:|---|---:|---:|---:|---:|"
    for (data, _), arms in _cells(done).items():
        best = max(_mean(results) for arm, results in arms.items() if arm != AUTO)
        for arm, results in arms.items():
            spread = statistics.stdev(100 * r["test"] for r in results)
            bold = "**" if arm != AUTO and _mean(results) >= best else ""
            seconds, memory = (statistics.median(r[k] for r in results) for k in ("seconds", "gb"))
            chosen = " or ".join(sorted({f"`{r['arm']}`" for r in results})) if arm == AUTO else ""
            yield (
                f"| {data} | {results[0]['examples']:,} | `{arm}`{chosen and ': '}{chosen} "
                f"| {bold}{_mean(results):.1f}{bold} ± {spread:.1f} "
                f"| {results[0]['trainable']:,} | {seconds:.1f} | {memory:.1f} |"
            )


def regret(done: list[dict[str, Any]]) -> Iterator[str]:
    """A line for each strategy, the least regret first."""
    cells = [*_cells(done).values()]
    lines = []
    for arm in (*ARMS, AUTO):
        bests = [max(_mean(r) for name, r in arms.items() if name != AUTO) for arms in cells]
        scores = [_mean(arms[arm]) for arms in cells]
        behind = [best - score for best, score in zip(bests, scores, strict=True)]
        seconds = statistics.mean(r["seconds"] for arms in cells for r in arms[arm])
        lines.append((statistics.mean(behind), max(behind), statistics.mean(scores), seconds, arm))
    yield "| always | mean regret | largest regret | mean test accuracy | mean seconds |"
    yield "|---|---:|---:|---:|---:|"
    for mean, most, score, seconds, arm in sorted(lines):
        yield f"| `{arm}` | {mean:.1f} | {most:.1f} | {score:.1f} | {seconds:.0f} |"


def _cells(done: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, list[Any]]]:
    """(data, size) -> strategy -> its runs; those of `auto` are those that it chose."""
    cells: dict[Any, dict[str, dict[int, Any]]] = defaultdict(lambda: defaultdict(dict))
    for result in done:
        cells[result["data"], result["size"]][result["arm"]][result["seed"]] = result
    for arms in cells.values():
        arms[AUTO] = {seed: arms[r["chosen"]][seed] for seed, r in sorted(arms[AUTO].items())}
    return {
        key: {arm: [*arms[arm].values()] for arm in (*ARMS, AUTO) if arms[arm]}
        for key, arms in cells.items()
    }


def _mean(results: list[dict[str, Any]]) -> float:
    return 100 * statistics.mean(r["test"] for r in results)


def main() -> None:
    """Run what is lacking and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--data", nargs="*", choices=DATA, default=list(DATA))
    parser.add_argument("--arms", nargs="*", choices=[*ARMS, AUTO], default=[*ARMS, AUTO])
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--steps", type=int, help="of each run, instead of at least 90")
    said = parser.parse_args()
    asked = [r for r in rounds(said) if r["data"] in said.data and r["arm"] in said.arms]
    print("\n".join(table(asked)))
    if {*said.arms} == {*ARMS, AUTO}:
        print("\n".join(["", *regret(asked)]))


if __name__ == "__main__":
    main()
