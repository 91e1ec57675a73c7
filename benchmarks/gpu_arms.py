"""One arm of `gpu.py`, in a process of its own: libraries first, then one line of JSON in and out.

Graft's arms run a recipe. Those of Hugging Face are a plain Trainer on the same examples, as the
example scripts set it up. All are timed by the same callback, from the step after `warm` steps to
the last one, with the device at rest at both ends.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from gpu_clock import StepClock, has_gpu, peak
from gpu_work import prepare

__all__ = ["prepare"]  # an arm, too: what it imports is here already


def device(small: bool) -> dict[str, Any]:
    """Describe the device: its name, what it can do, and FLOP/s of a large product of matrices."""
    import torch
    from speed_arms import product

    from pipelines.core import hardware

    has_gpu = torch.cuda.is_available()
    is_new = has_gpu and torch.cuda.get_device_capability() >= hardware.AMPERE
    flops = {}
    for precision in ("float32", *["tf32"] * is_new, *["bf16"] * bool(hardware.bfloat16({}))):
        torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
        flops[precision] = product(precision == "bf16", 256 if small else None)["flops"]
    return {
        "name": torch.cuda.get_device_name() if has_gpu else "CPU",
        "is_gpu": has_gpu,
        "torch": torch.__version__,
        "products": flops,
    }


def graft(recipe: dict[str, Any], warm: int) -> dict[str, Any]:
    """Run a recipe."""
    import yaml

    from pipelines import recipe as recipes
    from pipelines.workflow import run as pipeline

    clock = StepClock(warm)
    clock.install()
    with tempfile.TemporaryDirectory() as runs:
        recipe["training"]["output_dir"] = runs
        file = Path(runs) / "gpu.yaml"
        file.write_text(yaml.safe_dump(recipe), encoding="utf-8")
        metrics = json.loads(pipeline.run(recipes.load(file)).metrics.read_text())
    switches = {name: value["on"] for name, value in metrics["speed"].items()}
    waiting = metrics["training"]["waiting_for_data"]
    return {**clock.result(), "waiting": waiting, "speed": switches}


def trainer(
    work: dict[str, Any], training: dict[str, Any], warm: int, padding: Any = False
) -> dict[str, Any]:
    """Train by a plain Trainer; texts are padded to `padding`, or by the batch."""
    import transformers
    from gpu_rows import rows_for

    model = _classifier(work)
    rows, collate = rows_for(work, padding)
    clock = StepClock(warm)
    clock.install()
    with tempfile.TemporaryDirectory() as runs:
        arguments = transformers.TrainingArguments(
            runs,
            **{"report_to": "none", "save_strategy": "no", "disable_tqdm": True, **training},
            remove_unused_columns=False,
            use_cpu=not has_gpu(),
            dataloader_pin_memory=has_gpu(),
        )
        transformers.Trainer(model, arguments, train_dataset=rows, data_collator=collate).train()
    return clock.result()


def memory(work: dict[str, Any], batch: int, bf16: bool, strategy: str = "full") -> dict[str, Any]:
    """Compare the memory that `graft check` estimates for a step with what two steps take."""
    import torch
    from gpu_rows import rows_for

    from pipelines.core import registry
    from pipelines.models.anatomy import dissect
    from pipelines.models.memory import of_step

    kind = "cuda" if has_gpu() else "cpu"
    before = peak()
    model = _classifier(work).to(kind)
    chosen = registry.find("strategies", strategy)(name=strategy)
    model = chosen.apply(model, dissect(model, ()))
    rows, collate = rows_for(work, "max_length")
    inputs = {k: v.to(kind) for k, v in collate([rows[i] for i in range(batch)]).items()}
    estimate = of_step(model, inputs)
    if has_gpu():
        torch.cuda.reset_peak_memory_stats()
        before = 0
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], fused=True)
    for _ in range(2):
        with torch.autocast(kind, torch.bfloat16, enabled=bf16):
            model(**inputs).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return {"estimate": sum(estimate.values()), "memory": peak() - before, "parts": estimate}


def _classifier(work: dict[str, Any]) -> Any:
    """Load the encoder of a Work with a new head of two classes."""
    import transformers

    auto = {
        "bert": transformers.AutoModelForSequenceClassification,
        "vit": transformers.AutoModelForImageClassification,
        "wav2vec2": transformers.AutoModelForAudioClassification,
    }[work["kind"]]
    return auto.from_pretrained(work["checkpoint"], num_labels=2)


def main() -> None:
    """Import the libraries, wait for an arm and its options, run it, print what it gave."""
    import torch  # noqa: F401
    import transformers.trainer  # noqa: F401

    import pipelines.workflow.session  # noqa: F401  (what a recipe needs)

    request = sys.stdin.readline()
    if not request:  # nothing is left to do
        return
    arm, options = json.loads(request)
    started = time.perf_counter()
    result = globals()[arm](**options)
    result["whole"] = time.perf_counter() - started
    print("\n" + json.dumps(result))


if __name__ == "__main__":
    main()
