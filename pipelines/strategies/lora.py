"""LoRA: low-rank updates beside frozen weights, merged back at the end (arXiv 2106.09685)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, field_validator

from pipelines.core.errors import ModelError, suggest
from pipelines.strategies.adapters.adapter import Adapter, Names

if TYPE_CHECKING:
    from peft import PeftConfig
    from transformers import PreTrainedModel

    from pipelines.models.anatomy import Anatomy

INITIAL_WEIGHTS = (
    "true",
    "gaussian",
    "olora",
    "pissa",
    "pissa_niter_4",
)  # any number of iterations


class Lora(Adapter):
    """The fields of peft's LoraConfig, with the values published for encoders.

    `target_modules: auto` takes every linear layer of the blocks (convolutions in a convnet).
    PiSSA (arXiv 2404.02948) and OLoRA (arXiv 2406.01775) start from the largest directions of the
    weights instead of zero, DoRA (arXiv 2402.09353) learns the lengths of the columns separately.
    """

    quantizes: ClassVar[bool] = True

    r: int = Field(8, ge=1, description="rank of the updates")
    lora_alpha: int = Field(16, ge=1, description="scale of the updates, divided by r")
    lora_dropout: float = Field(0.0, ge=0, lt=1, description="dropout before the updates")
    use_rslora: bool = Field(False, description="divide by the root of r (arXiv 2312.03732)")
    use_dora: bool = Field(
        False, description="learn the lengths of the columns apart (arXiv 2402.09353)"
    )
    init_lora_weights: bool | str = Field(
        True, description="true, gaussian, olora, pissa, or pissa_niter_N: faster, by N iterations"
    )
    lora_plus_ratio: float = Field(
        1.0, gt=0, description="how much faster the B matrices learn: LoRA+, arXiv 2402.12354"
    )

    @field_validator("init_lora_weights")
    @classmethod
    def _known(cls, initial: bool | str) -> bool | str:
        # not peft's `false`, which draws both matrices at random: the updates would not start at
        # zero
        if initial is True or initial == "true":
            return True
        if initial in INITIAL_WEIGHTS or re.fullmatch(r"pissa_niter_\d+", str(initial)):
            return initial
        raise ValueError(f"no such start; {suggest(initial, INITIAL_WEIGHTS)}")

    def training_defaults(self, modality: str, anatomy: "Anatomy") -> dict[str, Any]:
        """Return the paper's values on GLUE: 4e-4 to 5e-4, warm-up 6 % (2106.09685, table 9)."""
        learning_rate = 5e-4 if modality == "text" else 1e-3
        defaults = super().training_defaults(modality, anatomy)
        return {**defaults, "learning_rate": learning_rate, "weight_decay": 0.1}

    def config(self, model: "PreTrainedModel", targets: Names, saved: Names) -> "PeftConfig":
        """Build a LoraConfig, with our faster layer for plain LoRA."""
        from peft import LoraConfig
        from torch.nn import Linear

        from pipelines.core.upstream import register_lora_layer
        from pipelines.strategies.adapters.low_rank import LowRankLinear

        self._check_decomposition(model, targets)
        config = LoraConfig(
            r=self.r,
            lora_alpha=self.lora_alpha,
            lora_dropout=self.lora_dropout,
            use_rslora=self.use_rslora,
            use_dora=self.use_dora,
            init_lora_weights=self.init_lora_weights,  # type: ignore[arg-type]  # checked above
            target_modules=list(targets),
            modules_to_save=list(saved),
        )
        # LowRankLinear reads the weight as it is: it knows neither DoRA's lengths nor packed bits
        if not self.use_dora and not getattr(model, "is_quantized", False):
            register_lora_layer(config, {Linear: LowRankLinear})
        return config

    def apply(self, model: "PreTrainedModel", anatomy: "Anatomy") -> Any:
        """Wrap `model` in a PeftModel.

        Updates that do not start from zero are remembered: an adapter for the unchanged checkpoint
        has to subtract them.
        """
        from peft import get_peft_model_state_dict

        adapted = super().apply(model, anatomy)
        if self._decomposes and self.save == "adapter":
            state = get_peft_model_state_dict(adapted)
            # copies, since the state holds the tensors that train
            adapted.start = {name: tensor.clone() for name, tensor in state.items()}
        return adapted

    def lr_multiplier(self, parameter: str, anatomy: "Anatomy") -> float:
        """Return `lora_plus_ratio` for B matrices, 1 for A matrices."""
        if ".lora_B." in parameter:
            return self.lora_plus_ratio
        return super().lr_multiplier(parameter, anatomy)

    @contextmanager
    def evaluating(self, model: Any) -> Iterator[None]:
        """Merge the updates into copies of the weights, and put the weights back afterwards.

        Subtracting the updates instead would leave rounding errors in frozen weights.
        """
        from peft.tuners.tuners_utils import BaseTunerLayer

        if getattr(
            model.get_base_model(), "is_quantized", False
        ):  # merged weights would be rounded again
            yield
            return
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
                # to peft the layer would still be merged, and its own way back is to subtract
                layer.merged_adapters.clear()

    @property
    def _decomposes(self) -> bool:
        """Whether part of the frozen weights moves into the updates before training."""
        return str(self.init_lora_weights).startswith(("pissa", "olora"))

    def _check_decomposition(self, model: "PreTrainedModel", targets: Names) -> None:
        """Refuse layers that PiSSA or OLoRA cannot decompose.

        peft decomposes no convolution kernels, and GPT-2's transposed layers the wrong way round
        for OLoRA.

        Raises:
            ModelError: names the layer, and what can be used instead.
        """
        from torch.nn import Linear
        from transformers.pytorch_utils import Conv1D

        fits = (Linear,) if self.init_lora_weights == "olora" else (Linear, Conv1D)
        if not self._decomposes:
            return
        for name, layer in zip(targets, map(model.get_submodule, targets), strict=True):
            if not isinstance(layer, fits):
                raise ModelError(
                    f"strategy.init_lora_weights: '{self.init_lora_weights}' decomposes linear "
                    f"layers, and {name} is a {type(layer).__name__}; use true or gaussian"
                )
            if self.r > min(layer.weight.shape):
                raise ModelError(
                    f"strategy.r: {self.r}: {name} has {min(layer.weight.shape)} directions only; "
                    f"use less, or leave out init_lora_weights: {self.init_lora_weights}"
                )
