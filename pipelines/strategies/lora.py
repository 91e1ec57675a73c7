"""LoRA: low-rank updates beside frozen weights, merged back at the end (arXiv 2106.09685)."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from pipelines.errors import ModelError
from pipelines.strategies import Strategy

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from pipelines.anatomy import Anatomy


class Lora(Strategy):
    """Fields are peft's LoraConfig's, with the values published for encoders.

    `target_modules: auto` takes every linear layer of the blocks (convolutions in a convnet);
    `modules_to_save: auto` takes whatever the checkpoint did not bring along: the new head.
    """

    r: int = Field(8, ge=1)
    lora_alpha: int = Field(16, ge=1)
    lora_dropout: float = Field(0.0, ge=0, lt=1)
    use_rslora: bool = False
    target_modules: Literal["auto"] | list[str] = "auto"
    modules_to_save: Literal["auto"] | list[str] = "auto"

    def training_defaults(self, modality: str, anatomy: "Anatomy") -> dict[str, Any]:
        """Rates of the paper's GLUE runs (arXiv 2106.09685, table 9): 4e-4 to 5e-4, warm-up 6 %."""
        return {
            "learning_rate": 5e-4 if modality == "text" else 1e-3,
            "num_train_epochs": 3 if modality == "text" else 5,
            "per_device_train_batch_size": 32,
            "lr_scheduler_type": "linear",
            "warmup_steps": 0.06,
            "weight_decay": 0.1,
        }

    def apply(self, model: "PreTrainedModel", anatomy: "Anatomy") -> Any:
        """Wrap `model` in a PeftModel whose adapters and new head train.

        No TaskType: peft's own ones exist for text only and would leave parts of an audio or
        image head frozen.
        """
        from peft import LoraConfig, get_peft_model
        from torch.nn import Linear

        from pipelines.strategies._low_rank import LowRankLinear

        targets = anatomy.adaptable if self.target_modules == "auto" else self.target_modules
        saved = anatomy.head if self.modules_to_save == "auto" else self.modules_to_save
        if not targets:
            raise ModelError(
                f"lora: {type(model).__name__} has no linear or convolution layer in its blocks to "
                "adapt; name some in strategy.target_modules, or use full or linear_probe"
            )
        config = LoraConfig(
            r=self.r,
            lora_alpha=self.lora_alpha,
            lora_dropout=self.lora_dropout,
            use_rslora=self.use_rslora,
            target_modules=list(targets),
            modules_to_save=list(saved),
        )
        config._register_custom_module({Linear: LowRankLinear})
        # by this name peft would look the base up whenever it saves, find that a CTC head has
        # another vocabulary, and ask for word embeddings that speech models do not have
        model.name_or_path = ""
        try:
            with _quiet():
                adapted = get_peft_model(model, config)
        except ValueError as error:
            raise ModelError(f"lora: does not fit {type(model).__name__}: {error}") from None
        _answer_for_convolutions(adapted)
        return adapted

    @contextmanager
    def evaluating(self, model: Any) -> Iterator[None]:
        """The updates are added to copies of the weights, which give way to them again afterwards:
        to subtract the updates would leave rounding errors in what is frozen."""
        from peft.tuners.tuners_utils import BaseTunerLayer

        layers: list[Any] = [m for m in model.modules() if isinstance(m, BaseTunerLayer)]
        frozen = [layer.get_base_layer().weight.data for layer in layers]
        for layer, weight in zip(layers, frozen, strict=True):
            layer.get_base_layer().weight.data = weight.clone()
        model.merge_adapter()
        try:
            yield
        finally:
            for layer, weight in zip(layers, frozen, strict=True):
                layer.get_base_layer().weight.data = weight
                layer.merged_adapters.clear()

    def merge(self, model: Any) -> "PreTrainedModel":
        """Add the low-rank updates to the weights: the plain class again."""
        return model.merge_and_unload()


@contextmanager
def _quiet() -> Iterator[None]:
    """What peft remarks on nobody here can change: a name of transformers' that it still uses, and
    that it found out itself how GPT-2's layers are turned."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning
        )
        warnings.filterwarnings("ignore", "fan_in_fan_out is set to")
        yield


def _answer_for_convolutions(model: Any) -> None:
    """MobileNet works out its padding from a convolution's fields: the adapter needs them too."""
    from torch.nn import Conv2d

    for module in model.modules():
        wrapped = getattr(module, "base_layer", None)
        if isinstance(wrapped, Conv2d):
            for name in ("stride", "kernel_size", "dilation"):
                setattr(module, name, getattr(wrapped, name))
