"""The base of strategies that peft carries out: adapters beside frozen weights.

A subclass builds its peft configuration; this class chooses the modules, freezes everything else
and saves the result.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from pipelines.core.errors import ModelError
from pipelines.models.library_warnings import suppress_peft_warnings
from pipelines.strategies._new_head import NewHead
from pipelines.strategies.adapters import targets as targeting

if TYPE_CHECKING:
    from peft import PeftConfig
    from transformers import PreTrainedModel

    from pipelines.models.anatomy import Anatomy
    from pipelines.models.load import Checkpoint
    from pipelines.models.output import Output

Names = tuple[str, ...]


class Adapter(NewHead):
    """Base of strategies with adapters.

    `target_modules: auto` means what the method is made for, `modules_to_save: auto` whatever the
    checkpoint did not hold: the new head. There is no TaskType: peft's exist for text only and
    would leave parts of an audio or image head frozen.
    """

    changes_pretrained_weights: ClassVar[bool] = False
    adapts: ClassVar[str] = "linear or convolution layer in its blocks"

    target_modules: Literal["auto", "all-linear"] | list[str] = Field(
        "auto", description="which layers are adapted; auto: those that the method is made for"
    )
    modules_to_save: Literal["auto"] | list[str] = Field(
        "auto", description="modules that train whole; auto: what is newly initialized"
    )
    save: Literal["merged", "adapter"] = Field(
        "merged",
        description="the plain class with updated weights, or the adapter alone",
    )

    def training_defaults(self, modality: str, anatomy: "Anatomy") -> dict[str, Any]:
        """Return those of LoRA's paper, at a higher rate: pretrained weights do not move.

        There is no weight decay, since few methods start from zero.
        """
        return {
            "learning_rate": 1e-3,
            "num_train_epochs": 3 if modality == "text" else 5,
            "per_device_train_batch_size": 32,
            "lr_scheduler_type": "linear",
            "warmup_steps": 0.06,
            "weight_decay": 0.0,
        }

    def auto(self, model: "PreTrainedModel", anatomy: "Anatomy") -> Names:
        """Return the modules that `target_modules: auto` means."""
        return anatomy.adaptable

    def config(self, model: "PreTrainedModel", targets: Names, saved: Names) -> "PeftConfig":
        """Build the configuration of peft.

        Args:
            targets: the modules to adapt.
            saved: the modules that train whole.
        """
        raise NotImplementedError

    def frozen(self, model: Any, anatomy: "Anatomy") -> Names:
        """Name all batch normalization but that of a new head.

        Its running statistics would change, and an adapter's folder cannot hold them (peft #1732).
        """
        from pipelines.core.upstream import is_batch_norm

        return tuple(
            name
            for name, module in model.named_modules()
            if is_batch_norm(module) and ".modules_to_save." not in name
        )

    def apply(self, model: "PreTrainedModel", anatomy: "Anatomy") -> Any:
        """Wrap `model` in a PeftModel whose adapters and new head train."""
        with suppress_peft_warnings():
            from peft import get_peft_model

        from pipelines.models.anatomy import inside
        from pipelines.strategies.adapters import merging

        saved = targeting.to_save(model, anatomy, self.modules_to_save)
        targets = self._targets(model, anatomy, saved)
        left_out = [name for name in anatomy.head if not inside(name, saved)]
        if self.save == "adapter" and left_out:
            raise ModelError(
                f"strategy.modules_to_save: {left_out[0]} is new and would not be saved, so the "
                "adapter could not be loaded; add it"
            )
        # with a name peft would look up the base model whenever it saves, find that a CTC head has
        # another vocabulary, and ask for word embeddings that speech models do not have
        model.name_or_path = ""
        with suppress_peft_warnings(), self._explained(model):
            adapted = get_peft_model(model, self.config(model, targets, saved))
        self._adapts(adapted, model)
        has_convolutions = _copy_convolution_fields(adapted)
        # now, since a merge that fails after training would cost the run
        merging.try_out(adapted, self.name, merge=self.save == "merged")
        if (
            self.save == "adapter"
            and has_convolutions
            and getattr(model.config, "tf_padding", False)
        ):
            raise ModelError(
                f"strategy.save: 'adapter': {type(model).__name__} pads by the stride of its "
                "convolutions, which peft's layers do not have; use merged"
            )
        return adapted

    def merge(self, model: Any) -> "PreTrainedModel":
        """Merge the updates into the weights and return the plain class."""
        from pipelines.strategies.adapters import merging

        return merging.merged(model)

    def output(self, model: Any, checkpoint: "Checkpoint") -> "Output":
        """Wrap the plain class, or the adapter alone."""
        from pipelines.models.output.adapter import AdapterModel

        if self.save == "merged":
            return super().output(model, checkpoint)
        return AdapterModel(model, checkpoint.commit)

    def saves(self, module: str, model: Any, anatomy: "Anatomy") -> bool:
        """Return whether an adapter's folder holds a module; a merged model holds all."""
        from pipelines.models.anatomy import inside

        saved = targeting.to_save(model, anatomy, self.modules_to_save)
        return self.save == "merged" or inside(module, saved)

    def _targets(self, model: "PreTrainedModel", anatomy: "Anatomy", saved: Names) -> Names:
        """Choose the modules to adapt, without any that train whole.

        Raises:
            ModelError: there are none.
        """
        from pipelines.models.anatomy import inside

        if self.target_modules == "auto":
            names = self.auto(model, anatomy)
        elif self.target_modules == "all-linear":
            names = targeting.linear(model, anatomy)
        else:
            names = targeting.named(model, self.target_modules)
        targets = tuple(name for name in names if not inside(name, saved))
        if targets:
            return targets
        kind = "linear layer" if self.target_modules == "all-linear" else self.adapts
        raise ModelError(
            f"{self.name}: {type(model).__name__} has no {kind} to adapt outside its head; name "
            "some in strategy.target_modules, or use full or linear_probe"
        )

    @contextmanager
    def _explained(self, model: Any) -> Iterator[None]:
        """Turn what peft raises when a method does not fit into one clear message."""
        try:
            yield
        except (AttributeError, KeyError, NotImplementedError, TypeError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise ModelError(
                f"{self.name}: does not fit {type(model).__name__}: {reason}"
            ) from None

    def _adapts(self, adapted: Any, model: Any) -> None:
        """Refuse a method that silently skipped all of its targets."""
        trained = [name for name, p in adapted.named_parameters() if p.requires_grad]
        if all(".modules_to_save." in name for name in trained):
            raise ModelError(
                f"{self.name}: adapts nothing in {type(model).__name__}: its layers are of another "
                "kind than the method is made for; use lora"
            )


def _copy_convolution_fields(model: Any) -> bool:
    """Copy the fields of convolutions to their adapters; returns whether there are any.

    MobileNet computes its padding from them.
    """
    from torch.nn import Conv2d

    adapted = [m for m in model.modules() if isinstance(getattr(m, "base_layer", None), Conv2d)]
    for module in adapted:
        for name in ("stride", "kernel_size", "dilation"):
            setattr(module, name, getattr(module.base_layer, name))
    return bool(adapted)
