"""One arm of `gpu.py`, in a process of its own: libraries first, then one line of JSON in and out.

Graft's arms run a recipe. Those of Hugging Face are a plain Trainer on the same examples, as the
example scripts set it up. All are timed by the same callback, from the step after `warm` steps to
the last one, with the device at rest at both ends.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from gpu_work import prepare

__all__ = ["prepare"]  # an arm, too: what it imports is here already


class StepClock:
    """Builds a callback of the Trainer that times steps; whoever makes a Trainer gets it."""

    def __init__(self, warm: int) -> None:
        self.warm = warm
        self.began = self.ended = 0.0
        self.steps = self.samples = 0
        self.loss: float | None = None
        self.memory: int | None = None

    def install(self) -> None:
        """Add the callback to those that every Trainer has."""
        from transformers import TrainerCallback, trainer

        clock = self

        class Timing(TrainerCallback):
            def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                clock.step(args, state)

            def on_log(
                self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any
            ) -> None:
                clock.loss = (logs or {}).get("train_loss", clock.loss)

        trainer.DEFAULT_CALLBACKS = [*trainer.DEFAULT_CALLBACKS, Timing]

    def step(self, args: Any, state: Any) -> None:
        """Take the time after the last warm step and after the last one of all."""
        if state.global_step == self.warm:
            _synchronize()
            self.began = time.perf_counter()
        elif state.global_step == state.max_steps:
            _synchronize()
            self.ended = time.perf_counter()
            self.memory = _peak()
            self.steps = state.global_step - self.warm
            size = args.per_device_train_batch_size * args.gradient_accumulation_steps
            self.samples = self.steps * size

    def result(self) -> dict[str, Any]:
        """Return samples in a second, mean training loss, and the most memory in use."""
        seconds = self.ended - self.began
        return {
            "samples_per_second": self.samples / seconds,
            "step_ms": 1000 * seconds / self.steps,
            "loss": self.loss,
            "memory": self.memory,
        }


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
        flops[precision] = product(precision == "bf16")["flops"]
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

    auto = {
        "bert": transformers.AutoModelForSequenceClassification,
        "vit": transformers.AutoModelForImageClassification,
        "wav2vec2": transformers.AutoModelForAudioClassification,
    }[work["kind"]]
    model = auto.from_pretrained(work["checkpoint"], num_labels=2)
    rows, collate = rows_for(work, padding)
    clock = StepClock(warm)
    clock.install()
    with tempfile.TemporaryDirectory() as runs:
        arguments = transformers.TrainingArguments(
            runs,
            **{"report_to": "none", "save_strategy": "no", "disable_tqdm": True, **training},
            remove_unused_columns=False,
            use_cpu=not _has_gpu(),
            dataloader_pin_memory=_has_gpu(),
        )
        transformers.Trainer(model, arguments, train_dataset=rows, data_collator=collate).train()
    return clock.result()


def memory(work: dict[str, Any], batch: int, bf16: bool, strategy: str = "full") -> dict[str, Any]:
    """Compare the memory that `graft check` estimates for a step with what two steps take."""
    import torch
    import transformers
    from gpu_rows import rows_for

    from pipelines.core import registry
    from pipelines.models.anatomy import dissect
    from pipelines.models.memory import of_step

    auto = {
        "bert": transformers.AutoModelForSequenceClassification,
        "vit": transformers.AutoModelForImageClassification,
        "wav2vec2": transformers.AutoModelForAudioClassification,
    }[work["kind"]]
    kind = "cuda" if _has_gpu() else "cpu"
    before = _peak()
    model = auto.from_pretrained(work["checkpoint"], num_labels=2).to(kind)
    chosen = registry.find("strategies", strategy)(name=strategy)
    model = chosen.apply(model, dissect(model, ()))
    rows, collate = rows_for(work, "max_length")
    inputs = {k: v.to(kind) for k, v in collate([rows[i] for i in range(batch)]).items()}
    estimate = of_step(model, inputs)
    if _has_gpu():
        torch.cuda.reset_peak_memory_stats()
        before = 0
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], fused=True)
    for _ in range(2):
        with torch.autocast(kind, torch.bfloat16, enabled=bf16):
            model(**inputs).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return {"estimate": sum(estimate.values()), "memory": _peak() - before, "parts": estimate}


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _synchronize() -> None:
    import torch

    if _has_gpu():
        torch.cuda.synchronize()


def _peak() -> int:
    """Return the most bytes in use: of the GPU, else of this process."""
    import torch

    if _has_gpu():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


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
