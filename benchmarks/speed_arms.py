"""One arm of `speed.py`, in a process of its own: prints what it took as one line of JSON.

Graft's arms run a recipe. The others are the same work as Hugging Face's example scripts do it,
with their defaults: a plain Trainer, written out here.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from gpu_clock import has_gpu, peak
from speed_rows import batches_of, images_for, images_of, load, rows_of, texts_for


def graft(
    work: dict[str, Any], strategy: Any, training: dict[str, Any], speed: dict[str, str]
) -> dict[str, Any]:
    """Run a recipe; its seconds are those of training, data and model loaded."""
    import yaml

    from pipelines import recipe
    from pipelines.workflow import run as pipeline

    sections = {k: work[k] for k in ("task", "model", "data")}
    sections |= {"strategy": strategy, "speed": speed, "early_stopping": None}
    with tempfile.TemporaryDirectory() as runs:
        training = {"output_dir": runs, "eval_strategy": "no", **training}
        file = Path(runs) / "speed.yaml"
        file.write_text(yaml.safe_dump({**sections, "training": training}))
        metrics = json.loads(pipeline.run(recipe.load(file)).metrics.read_text())
    taken = metrics["training"]
    return {"seconds": taken["seconds"], "wait": taken["waiting_for_data"]}


def trainer(
    work: dict[str, Any], padding: Any, frozen: bool, training: dict[str, Any]
) -> dict[str, Any]:
    """Train by a plain Trainer: texts padded to `padding`, or by the batch; images read anew."""
    import transformers

    model, processor = load(work)
    if frozen:  # all but the layer that gives the logits
        from pipelines.models.anatomy import dissect

        model.requires_grad_(False)
        model.get_submodule(dissect(model).output).requires_grad_(True)
    rows, collate = (
        texts_for(work, processor, padding) if work["text"] else images_for(work, processor)
    )
    with tempfile.TemporaryDirectory() as runs:
        arguments = transformers.TrainingArguments(
            runs,
            **{"report_to": "none", "save_strategy": "no", "disable_tqdm": True, **training},
            remove_unused_columns=work["text"],
            use_cpu=not has_gpu(),
        )
        running = transformers.Trainer(model, arguments, train_dataset=rows, data_collator=collate)
        start = time.perf_counter()
        running.train()
        return {"seconds": time.perf_counter() - start}


def forward(work: dict[str, Any], bf16: bool) -> dict[str, Any]:
    """Run nothing but the encoder, once over train and validation, sorted, in inference mode."""
    import torch

    model, processor = load(work)
    model.eval().to("cuda" if has_gpu() else "cpu")
    seconds = 0.0
    for split in ("train", "validation"):
        batches = [*batches_of(work, processor, split)] if work["text"] else None
        start = time.perf_counter()
        with (
            torch.inference_mode(),
            torch.autocast(model.device.type, torch.bfloat16, enabled=bf16),
        ):
            for batch in batches or images_of(work, processor, split):
                model(**{k: v.to(model.device) for k, v in batch.items()})
        seconds += time.perf_counter() - start
    return {"seconds": seconds}


def product(bf16: bool, size: int | None = None) -> dict[str, Any]:
    """Measure FLOP/s of a product of matrices, which are large: what this machine can do."""
    import torch

    device = "cuda" if has_gpu() else "cpu"
    size = size or (8192 if has_gpu() else 2048)
    matrix = torch.randn(size, size, device=device, dtype=torch.bfloat16 if bf16 else torch.float32)
    taken = []
    for _ in range(8):
        start = time.perf_counter()
        (matrix @ matrix).sum().item()
        taken.append(time.perf_counter() - start)
    return {"seconds": min(taken), "flops": 2 * size**3 / min(taken)}


def size(work: dict[str, Any]) -> dict[str, Any]:
    """Count parameters of the blocks and tokens without padding, from which utilization follows."""
    model, processor = load(work)
    from pipelines.models.anatomy import dissect, inside

    blocks = dissect(model).blocks
    parameters = sum(p.numel() for n, p in model.named_parameters() if inside(n, blocks))
    texts = processor(list(rows_of(work, "train")["sentence"]), truncation=True, max_length=128)
    return {"parameters": parameters, "tokens": sum(map(len, texts["input_ids"])), "seconds": 0}


def main(arm: str, options: str) -> None:
    """Run an arm; memory is the most that the process ever had."""
    np.random.seed(0)
    result = globals()[arm](**json.loads(options))
    result["memory"] = peak()
    print("\n" + json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
