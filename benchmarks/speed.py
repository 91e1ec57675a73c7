"""Graft beside the same work as Hugging Face's example scripts do it, in turn, as ratios.

    python benchmarks/speed.py SHARED [--repeats 3] [ROW …]

`SHARED` holds `data/<name>/<split>.parquet` and `checkpoints/<name>/`. Each arm of a row runs in a
process of its own, one after the other, as often as `--repeats` says: what else the machine does
falls on all of them. A ratio is that of an arm to the first one of its row in the same round; what
is printed is the median, and the lowest and highest. Seconds are of the machine at hand: quote
ratios only.

Utilization, of training, is 6 FLOPs for each parameter of the blocks and each token that is not
padding, over what a large product of matrices reaches in the same run and precision.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ARMS = Path(__file__).with_name("speed_arms.py")
ROOT = ARMS.parent.parent
TRAIN = {"per_device_train_batch_size": 32, "num_train_epochs": 1, "learning_rate": 2e-5}
FLOAT32, BF16 = {"bf16": False}, {"bf16": True}
Arm = tuple[str, dict[str, Any]]  # a function of speed_arms.py, and its options


def texts(shared: Path, **limit: int) -> dict[str, Any]:
    """Describe MiniLM on SST-2."""
    path = str(shared / "data/sst2")
    splits = {"test": None}
    data = {"source": "files", "path": path, "columns": {"text": "sentence"}, "splits": splits}
    return {
        "text": True,
        "task": {"name": "text_classification", "max_length": 128},
        "model": str(shared / "checkpoints/all-MiniLM-L6-v2"),
        "data": {**data, "limit": limit},
    }


def images(shared: Path, **limit: int) -> dict[str, Any]:
    """Describe MobileNet-v2 on flowers."""
    data = {"source": "files", "path": str(shared / "data/flowers5_128px"), "limit": limit}
    return {
        "text": False,
        "task": "image_classification",
        "model": str(shared / "checkpoints/mobilenetv2_100-in1k"),
        "data": {**data, "splits": {"test": None}},
    }


def graft(
    work: Any, strategy: Any, training: dict[str, Any], cache: str | None = None, **speed: str
) -> Arm:
    """Return an arm of Graft; those that name the same `cache` find what the other has kept."""
    options = {"work": work, "strategy": strategy, "training": training, "speed": speed}
    return "graft", options | ({"cache": cache} if cache else {})


def trainer(work: Any, padding: Any, training: dict[str, Any], *, frozen: bool = False) -> Arm:
    """Return an arm of a plain Trainer, one epoch."""
    training = {**TRAIN, **training}
    return "trainer", {"work": work, "padding": padding, "frozen": frozen, "training": training}


def training(shared: Path) -> dict[str, Arm]:
    """One epoch of full fine-tuning, 3,200 examples."""
    work = texts(shared, train=3200)
    return {
        "run_glue: padded to 128": trainer(work, "max_length", FLOAT32),
        "padded by the batch": trainer(work, False, FLOAT32),
        "padded by the batch, bf16": trainer(work, False, BF16),
        "Graft, float32": graft(work, "full", {**TRAIN, **FLOAT32}),
        "Graft": graft(work, "full", TRAIN),
    }


def probe(shared: Path) -> dict[str, Arm]:
    """A head on a frozen encoder, 10,000 examples; the Trainer's arms are of one epoch."""
    work = texts(shared, train=10_000)
    return {
        "the forward pass alone": ("forward", {"work": work, "bf16": False}),
        "Trainer, frozen, 1 epoch": trainer(work, False, FLOAT32, frozen=True),
        "Trainer, frozen, padded to 128, 1 epoch": trainer(
            work, "max_length", FLOAT32, frozen=True
        ),
        "Graft, float32": graft(work, "linear_probe", FLOAT32, "float32"),
        "Graft, float32, again": graft(work, "linear_probe", FLOAT32, "float32"),
        "Graft": graft(work, "linear_probe", {}, "bf16"),
    }


def image_probe(shared: Path) -> dict[str, Arm]:
    """A head on a frozen MobileNet-v2 at 224 pixels, 1,000 images; decoding counts."""
    work = images(shared, train=1000, validation=100)
    return {
        "decoding and the forward pass alone": ("forward", {"work": work, "bf16": False}),
        "Trainer, frozen, 1 epoch": trainer(work, None, FLOAT32, frozen=True),
        "Graft, float32": graft(work, "linear_probe", FLOAT32, "float32"),
        "Graft, float32, again": graft(work, "linear_probe", FLOAT32, "float32"),
        "Graft": graft(work, "linear_probe", {}, "bf16"),
    }


def strategies(shared: Path) -> dict[str, Arm]:
    """Three epochs of 1,500 examples, in float32."""
    work = texts(shared, train=1500)
    three = {**TRAIN, **FLOAT32, "num_train_epochs": 3}
    top = {"name": "top_layers", "layers": 2}
    return {
        "full": graft(work, "full", three),
        "lora": graft(work, "lora", three),
        "top_layers, frozen blocks each time": graft(work, top, three, frozen_blocks="off"),
        "top_layers": graft(work, top, three, frozen_blocks="on"),
    }


ROWS = {f.__name__: f for f in (training, probe, image_probe, strategies)}


def run(arm: str, options: dict[str, Any], folder: Path, round_: int) -> dict[str, Any]:
    """Run an arm in a process of its own; `cache` names what it shares with others of its round."""
    cache = folder / f"{options.get('cache', 'own-' + os.urandom(4).hex())}-{round_}"
    options = {name: value for name, value in options.items() if name != "cache"}
    environment = {**os.environ, "GRAFT_CACHE": str(cache), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ARMS), arm, json.dumps(options)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{arm} {options}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def rounds(arms: dict[str, Arm], repeats: int) -> dict[str, list[dict[str, Any]]]:
    """Run all arms in turn: arm -> what it took in each round."""
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in arms}
    with tempfile.TemporaryDirectory() as folder:
        for round_ in range(repeats):
            for name, (arm, options) in arms.items():
                results[name].append(run(arm, options, Path(folder), round_))
                seconds = results[name][-1]["seconds"]
                print(f"  {name}: {seconds:.1f} s", file=sys.stderr, flush=True)
    return results


def table(results: dict[str, list[dict[str, Any]]], least: Any) -> Iterator[str]:
    """Yield ratios to the first arm, memory, waiting and utilization.

    Args:
        least: arm -> the seconds that its products would take alone; None: there is no utilization.
    """
    first = next(iter(results.values()))
    yield "| | relative time | lowest - highest | seconds | peak GB | waiting | utilization |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for name, runs in results.items():
        pairs = zip(runs, first, strict=True)
        ratios = [one["seconds"] / other["seconds"] for one, other in pairs]
        seconds = statistics.median(one["seconds"] for one in runs)
        memory = statistics.median(one["memory"] for one in runs) / 1e9
        waits = [one["wait"] for one in runs if one.get("wait") is not None]
        wait = f"{statistics.median(waits):.1%}" if waits else ""
        share = f"{least(name) / seconds:.0%}" if least else ""
        yield (
            f"| {name} | {statistics.median(ratios):.3f} | {min(ratios):.3f} - {max(ratios):.3f} | "
            f"{seconds:.1f} | {memory:.1f} | {wait} | {share} |"
        )


def main() -> None:
    """Run the rows that are named, or all, and print a table for each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], metavar="ROW")
    parser.add_argument("--repeats", type=int, default=3)
    parsed = parser.parse_args()
    shared = parsed.shared.resolve()
    with tempfile.TemporaryDirectory() as folder:
        best = {bf16: run("product", {"bf16": bf16}, Path(folder), 0) for bf16 in (False, True)}
        size = run("size", {"work": texts(shared, train=3200)}, Path(folder), 0)
    products = (f"{'bf16' if b else 'float32'} {p['flops'] / 1e9:,.0f}" for b, p in best.items())
    print(f"a large product of matrices, GFLOP/s: {', '.join(products)}")
    for name in parsed.rows or ROWS:
        build = ROWS[name]
        print(f"\n{build.__doc__}\n")
        ideal = 6 * size["parameters"] * size["tokens"]

        def least(arm: str, ideal: float = ideal) -> float:
            precise = arm != "Graft" and "bf16" not in arm
            return ideal / best[not precise]["flops"]

        results = rounds(build(shared), parsed.repeats)
        lines = table(results, least if build is training else None)
        print("\n".join(lines), flush=True)


if __name__ == "__main__":
    main()
