"""An exponential moving average of the weights, which is what is evaluated and saved."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch.optim.swa_utils import get_ema_multi_avg_fn
from transformers import TrainerCallback

FILE = "ema.safetensors"


class Ema(TrainerCallback):
    """The mean over steps of all that trains, and of statistics (Polyak & Juditsky 1992).

    The decay is at most (1 + steps) / (10 + steps): early means reach back less far, so that the
    start is soon forgotten.

    `swa_utils.AveragedModel` would hold a second model, with all that is frozen; here only what
    trains has a mean, and the mean is swapped into the model in place.
    """

    def __init__(self, model: Any, decay: float, resume_from: Path | None) -> None:
        self.model, self.decay, self.resume_from = model, decay, resume_from
        trained = [name for name, p in model.named_parameters() if p.requires_grad]
        statistics = [name for name, b in model.named_buffers() if b.is_floating_point()]
        self.names = [*trained, *statistics]
        self.mean = {name: tensor.clone() for name, tensor in self._weights().items()}

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Load the mean of a resumed run."""
        if self.resume_from and state.global_step:
            self._load(self.resume_from)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Update the mean."""
        steps = state.global_step
        update = get_ema_multi_avg_fn(min(self.decay, (1 + steps) / (10 + steps)))
        update([*self.mean.values()], [*self._weights().values()], steps)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Leave the model with the mean, of the best checkpoint where that was loaded."""
        if args.load_best_model_at_end and state.best_model_checkpoint:
            self._load(Path(state.best_model_checkpoint))
        self._swap()

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the model have the mean for weights inside the block."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def save(self, folder: str | Path) -> None:
        """Write the mean beside a checkpoint's own weights."""
        # safetensors refuses convolution kernels in channels-last order as they lie
        save_file({n: t.contiguous() for n, t in self.mean.items()}, Path(folder) / FILE)

    def _weights(self) -> dict[str, Any]:
        """Look up what has a mean.

        Each time: preparing a model for several processes, and moving it to the device of one for
        an evaluation, give parameters other tensors.
        """
        tensors = dict(self.model.named_parameters()) | dict(self.model.named_buffers())
        return {name: tensors[name].data for name in self.names}

    def _load(self, folder: Path) -> None:
        for name, tensor in load_file(folder / FILE).items():
            self.mean[name].copy_(tensor)

    def _swap(self) -> None:
        for name, weight in self._weights().items():
            # in place, since optimizer and wrappers hold on to these tensors
            mean = self.mean[name].clone()
            self.mean[name].copy_(weight)
            weight.copy_(mean)
