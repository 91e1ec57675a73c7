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
    """MiniLM on SST-2."""
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
    """MobileNet-v2 on flowers."""
    data = {"source": "files", "path": str(shared / "data/flowers5_128px"), "limit": limit}
    return {
        "text": False,
        "task": "image_classification",
        "model": str(shared / "checkpoints/mobilenetv2_100-in1k"),
        "data": {**data, "splits": {"test": None}},
    }


def ours(
    work: Any, strategy: Any, said: dict[str, Any], cache: str | None = None, **speed: str
) -> Arm:
    """Graft; arms that name the same `cache` find what the other has kept."""
    options = {"work": work, "strategy": strategy, "training": said, "speed": speed}
    return "graft", options | ({"cache": cache} if cache else {})


def plain(work: Any, padding: Any, said: dict[str, Any], *, frozen: bool = False) -> Arm:
    """A plain Trainer, one epoch."""
    said = {**TRAIN, **said}
    return "trainer", {"work": work, "padding": padding, "frozen": frozen, "training": said}


def training(shared: Path) -> dict[str, Arm]:
    """One epoch of full fine-tuning, 3,200 examples."""
    work = texts(shared, train=3200)
    return {
        "run_glue: padded to 128": plain(work, "max_length", FLOAT32),
        "padded by the batch": plain(work, False, FLOAT32),
        "padded by the batch, bf16": plain(work, False, BF16),
        "Graft, float32": ours(work, "full", {**TRAIN, **FLOAT32}),
        "Graft": ours(work, "full", TRAIN),
    }


def probe(shared: Path) -> dict[str, Arm]:
    """A head on a frozen encoder, 10,000 examples; the Trainer's arms are of one epoch."""
    work = texts(shared, train=10_000)
    return {
        "the forward pass alone": ("forward", {"work": work, "bf16": False}),
        "Trainer, frozen, 1 epoch": plain(work, False, FLOAT32, frozen=True),
        "Trainer, frozen, padded to 128, 1 epoch": plain(work, "max_length", FLOAT32, frozen=True),
        "Graft, float32": ours(work, "linear_probe", FLOAT32, "float32"),
        "Graft, float32, again": ours(work, "linear_probe", FLOAT32, "float32"),
        "Graft": ours(work, "linear_probe", {}, "bf16"),
    }


def image_probe(shared: Path) -> dict[str, Arm]:
    """A head on a frozen MobileNet-v2 at 224 pixels, 1,000 images; decoding counts."""
    work = images(shared, train=1000, validation=100)
    return {
        "decoding and the forward pass alone": ("forward", {"work": work, "bf16": False}),
        "Trainer, frozen, 1 epoch": plain(work, None, FLOAT32, frozen=True),
        "Graft, float32": ours(work, "linear_probe", FLOAT32, "float32"),
        "Graft, float32, again": ours(work, "linear_probe", FLOAT32, "float32"),
        "Graft": ours(work, "linear_probe", {}, "bf16"),
    }


def strategies(shared: Path) -> dict[str, Arm]:
    """Three epochs of 1,500 examples, in float32."""
    work = texts(shared, train=1500)
    said = {**TRAIN, **FLOAT32, "num_train_epochs": 3}
    top = {"name": "top_layers", "layers": 2}
    return {
        "full": ours(work, "full", said),
        "lora": ours(work, "lora", said),
        "top_layers, frozen blocks each time": ours(work, top, said, frozen_blocks="off"),
        "top_layers": ours(work, top, said, frozen_blocks="on"),
    }


ROWS = {f.__name__: f for f in (training, probe, image_probe, strategies)}


def run(arm: str, options: dict[str, Any], folder: Path, round_: int) -> dict[str, Any]:
    """One arm in a process of its own; `cache` names what it shares with others of its round."""
    cache = folder / f"{options.get('cache', 'own-' + os.urandom(4).hex())}-{round_}"
    options = {name: value for name, value in options.items() if name != "cache"}
    environment = {**os.environ, "GRAFT_CACHE": str(cache), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ARMS), arm, json.dumps(options)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{arm} {options}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def rounds(arms: dict[str, Arm], repeats: int) -> dict[str, list[dict[str, Any]]]:
    """Arm -> what it took, once a round."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in arms}
    with tempfile.TemporaryDirectory() as folder:
        for round_ in range(repeats):
            for name, (arm, options) in arms.items():
                found[name].append(run(arm, options, Path(folder), round_))
                print(f"  {name}: {found[name][-1]['seconds']:.1f} s", file=sys.stderr, flush=True)
    return found


def table(found: dict[str, list[dict[str, Any]]], work: Any) -> Iterator[str]:
    """Ratios to the first arm, memory, waiting, utilization."""
    first = next(iter(found.values()))
    yield "| | relative time | lowest - highest | seconds | peak GB | waiting | utilization |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for name, results in found.items():
        ratios = [
            one["seconds"] / other["seconds"] for one, other in zip(results, first, strict=True)
        ]
        seconds = statistics.median(one["seconds"] for one in results)
        memory = statistics.median(one["memory"] for one in results) / 1e9
        waits = [one["wait"] for one in results if one.get("wait") is not None]
        wait = f"{statistics.median(waits):.1%}" if waits else ""
        share = f"{work(name) / seconds:.0%}" if work else ""
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
    said = parser.parse_args()
    shared = said.shared.resolve()
    with tempfile.TemporaryDirectory() as folder:
        best = {bf16: run("product", {"bf16": bf16}, Path(folder), 0) for bf16 in (False, True)}
        found = run("size", {"work": texts(shared, train=3200)}, Path(folder), 0)
    told = ", ".join(
        f"{'bf16' if b else 'float32'} {p['flops'] / 1e9:,.0f}" for b, p in best.items()
    )
    print(f"a large product of matrices, GFLOP/s: {told}")
    for name in said.rows or ROWS:
        build = ROWS[name]
        print(f"\n{build.__doc__}\n")
        ideal = 6 * found["parameters"] * found["tokens"]

        def least(arm: str, ideal: float = ideal) -> float:
            precise = arm != "Graft" and "bf16" not in arm
            return ideal / best[not precise]["flops"]

        work = least if build is training else None
        print("\n".join(table(rounds(build(shared), said.repeats), work)), flush=True)


if __name__ == "__main__":
    main()
