"""The arms of `gpu.py`: a recipe, or the same work by Hugging Face's Trainer."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

RUN_GLUE = "max_length"  # its padding: every text to 128 tokens
TASKS = {
    "bert": {"name": "text_classification", "max_length": 128},
    "vit": {"name": "image_classification"},
    "wav2vec2": {"name": "audio_classification"},
}


@dataclass(frozen=True)
class Arm:
    """One process.

    Attributes:
        function: of gpu_arms.py.
        needs: a precision or a package; without it, the arm is not run.
        work: the name of the model that utilization is counted for; empty: it is not.
        precision: of the product that utilization is a share of.
    """

    name: str
    function: str
    options: dict[str, Any] = field(hash=False)
    needs: str = ""
    work: str = ""
    precision: str = "bf16"

    def obstacle(self, device: dict[str, Any]) -> str:
        """Say why it cannot run here; empty where it can."""
        if self.needs in ("bf16", "tf32") and self.needs not in device["products"]:
            return f"{device['name']} has no {self.needs}"
        if self.needs == "bitsandbytes" and not find_spec("bitsandbytes"):
            return "bitsandbytes is not installed"
        return ""


class ArmBuilder:
    """Builds arms for models and data that are at hand.

    Args:
        works: name -> fields of a `Work`.
        small: a few steps of tiny models, which a CPU does in moments.
        precisions: what the device multiplies; arms that are tuned use tf32 and bf16 then.
    """

    def __init__(
        self, works: dict[str, dict[str, Any]], *, small: bool, precisions: Iterable[str]
    ) -> None:
        self.works, self.small, self.precisions = works, small, tuple(precisions)
        self.warm, self.steps = (1, 3) if small else (10, 60)

    def batch(self, size: int) -> int:
        return min(size, 4) if self.small else size

    def _training(self, size: int, **more: Any) -> dict[str, Any]:
        fields = {
            "per_device_train_batch_size": self.batch(size),
            "max_steps": self.warm + self.steps,
            "dataloader_drop_last": True,  # every step has as many examples
            "learning_rate": 2e-5,
            "seed": 0,
        }
        return {**fields, **more}

    def default(self, name: str) -> Arm:
        """What the example scripts do when they are told nothing."""
        options = {"work": self.works[name], "padding": RUN_GLUE, "warm": self.warm}
        training = self._training(8, bf16=False)
        title = "HF defaults: float32, batch 8"
        return Arm(title, "trainer", {**options, "training": training}, "", name, "float32")

    def tuned(
        self, work: str, size: int, workers: int = 0, padding: Any = False, **more: Any
    ) -> Arm:
        """What somebody does who knows the Trainer well."""
        title = more.pop("name", f"HF tuned, batch {size}")
        more |= {each: True for each in ("tf32", "bf16") if each in self.precisions}
        if workers:
            more |= {"dataloader_num_workers": min(workers, 2) if self.small else workers}
            more |= {"dataloader_persistent_workers": True}
        options = {"work": self.works[work], "padding": padding, "warm": self.warm}
        training = self._training(size, **more)
        return Arm(title, "trainer", {**options, "training": training}, "", work, self._fastest)

    @property
    def _fastest(self) -> str:
        return "bf16" if "bf16" in self.precisions else "float32"

    def graft(
        self,
        name: str,
        title: str,
        size: int,
        needs: str = "",
        precision: str = "",
        *,
        counted: bool = True,
        training: dict[str, Any] | None = None,
        model: dict[str, Any] | None = None,
        **sections: Any,
    ) -> Arm:
        """A recipe with nothing but training in it; `training` adds to what all arms have."""
        work = self.works[name]
        splits: dict[str, Any] = {"test": None}
        columns = {"columns": {"text": "sentence"}} if work["kind"] == "bert" else {}
        limit = {"train": 8192, "validation": 64}
        source = {"source": "files", "path": work["data"], "splits": splits, "limit": limit}
        recipe = {
            "task": TASKS[work["kind"]],
            "model": {"checkpoint": work["checkpoint"], **(model or {})},
            "data": {**source, **columns},
            "strategy": "full",
            "training": self._training(size, eval_strategy="no", **(training or {})),
            "early_stopping": None,
            "calibration": None,
            "simple_model": False,
            "printed_lines": False,
            **sections,
        }
        options = {"recipe": recipe, "warm": self.warm}
        precision = precision or self._fastest
        return Arm(title, "graft", options, needs, name if counted else "", precision)
