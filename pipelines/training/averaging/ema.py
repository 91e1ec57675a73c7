"""An exponential moving average of the weights, which is what is evaluated and kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import TrainerCallback

FILE = "ema.safetensors"


class Ema(TrainerCallback):
    """The mean over steps of all that trains, and of statistics (Polyak & Juditsky 1992).

    Early means reach back less far, such that the start is soon forgotten: the decay is at most
    (1 + steps) / (10 + steps).
    """

    def __init__(self, model: Any, decay: float, resume_from: Path | None) -> None:
        self.decay, self.resume_from = decay, resume_from
        trained = {name: p.data for name, p in model.named_parameters() if p.requires_grad}
        statistics = {n: b for n, b in model.named_buffers() if b.is_floating_point()}
        self.weights = {**trained, **statistics}
        self.mean = {name: tensor.clone() for name, tensor in self.weights.items()}

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.resume_from and state.global_step:
            self._load(self.resume_from)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        steps = state.global_step
        decay = min(self.decay, (1 + steps) / (10 + steps))
        torch._foreach_lerp_([*self.mean.values()], [*self.weights.values()], 1 - decay)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The mean takes the weights' place: of the best checkpoint, where that was loaded."""
        if args.load_best_model_at_end and state.best_model_checkpoint:
            self._load(Path(state.best_model_checkpoint))
        self._swap()

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, the model has the mean for weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def save(self, folder: str | Path) -> None:
        """Beside a checkpoint's own weights."""
        save_file({n: t.contiguous() for n, t in self.mean.items()}, Path(folder) / FILE)

    def _load(self, folder: Path) -> None:
        for name, tensor in load_file(folder / FILE).items():
            self.mean[name].copy_(tensor)

    def _swap(self) -> None:
        for name, weight in self.weights.items():
            mean = self.mean[name].clone()
            self.mean[name].copy_(weight)
            weight.copy_(mean)
