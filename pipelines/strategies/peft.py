"""Any other method of peft, by its own name and fields: {name: peft, peft_type: OFT, …}."""

import inspect
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from pipelines.core.errors import ModelError, RecipeError, suggest
from pipelines.strategies.adapters import peft_methods as methods
from pipelines.strategies.adapters.adapter import Adapter, Names

if TYPE_CHECKING:
    from peft import PeftConfig
    from transformers import PreTrainedModel

    from pipelines.models.anatomy import Anatomy
    from pipelines.tasks import Task

PROMPTS = ("PREFIX_TUNING", "PROMPT_TUNING", "P_TUNING")  # virtual tokens, no layer is adapted
WITHOUT_TARGETS = (*PROMPTS, "TRAINABLE_TOKENS")  # they adapt no layers by name
REFUSED = {
    "ADALORA": "needs a training loop that moves its budget at every step; use lora",
    "ADAPTION_PROMPT": "supports two families of language models only",
    "CARTRIDGE": "distills a text into a cache of keys and values, and learns no task",
    "CPT": "is for single prompts of language models",
    "MULTITASK_PROMPT_TUNING": "needs the id of a task with every example",
    "POLY": "needs the id of a task with every example",
    "SHADOW": "is for language models, and keeps a second model beside the first",
    "XLORA": "mixes adapters that were trained before",
}


class Peft(Adapter):
    """A method of peft with the fields of its configuration class in the installed version.

    Methods that cannot be merged, such as prompt tuning, need `save: adapter`.
    """

    # which fields there are depends on `peft_type`: they are checked below
    model_config = ConfigDict(extra="allow")

    peft_type: str = Field(description="a method of peft, such as OFT, BOFT, LOHA or VERA")

    @model_validator(mode="after")
    def _known(self) -> "Peft":
        try:
            known = methods.of(self.peft_type)
        except RecipeError as error:
            raise self._wrong([("peft_type", self.peft_type, str(error))]) from None
        if self.peft_type in REFUSED:
            message = f"{self.peft_type} {REFUSED[self.peft_type]}"
            raise self._wrong([("peft_type", self.peft_type, message)])
        extra = self.model_extra or {}
        unknown = [
            (key, value, f"no such field of {self.peft_type}; {suggest(key, known, limit=60)}")
            for key, value in extra.items()
            if key not in known
        ]
        if unknown:
            raise self._wrong(unknown)
        if self.peft_type in PROMPTS and self.save == "merged":
            reason = f"{self.peft_type} puts tokens before the input, which no weights can hold"
            raise self._wrong([("save", self.save, f"{reason}; use adapter")])
        return self

    def incompatibility(self, task: "Task") -> str | None:
        """Refuse prompts for tasks on tokens, and without a length that leaves room for them."""
        if self.peft_type not in PROMPTS:
            return None
        if task.name != "text_classification":
            return f"{self.peft_type} fits text_classification only: prompts shift all other tokens"
        if getattr(task, "max_length", None) is None:
            return f"{self.peft_type} takes some of the model's positions: set task.max_length"
        return None

    def auto(self, model: "PreTrainedModel", anatomy: "Anatomy") -> Names:
        """Return normalization layers for LN_TUNING, else the layers that LoRA adapts."""
        return anatomy.norms if self.peft_type == "LN_TUNING" else anatomy.adaptable

    def config(self, model: "PreTrainedModel", targets: Names, saved: Names) -> "PeftConfig":
        """Build the method's configuration, with the modules that follow from the model's tree.

        Raises:
            ModelError: a new head would not train, or the model cannot take prompts.
        """
        from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
        from peft.utils import PeftType

        known = methods.of(self.peft_type)
        fields = dict(self.model_extra or {})
        if "modules_to_save" in known:
            fields["modules_to_save"] = list(saved)
        elif saved:
            raise ModelError(
                f"peft: {self.peft_type} has no modules_to_save: {', '.join(saved)}, which is new, "
                "would not train; use lora"
            )
        if "target_modules" in known and self._targeted:
            fields["target_modules"] = list(targets)
        if self.peft_type in PROMPTS:
            self._fits_prompts(model)
            # only a PeftModel of a task puts prompts before the input
            fields["task_type"] = "SEQ_CLS"
        return PEFT_TYPE_TO_CONFIG_MAPPING[PeftType(self.peft_type)](**fields)

    @property
    def _targeted(self) -> bool:
        return self.target_modules != "auto" or self.peft_type not in WITHOUT_TARGETS

    def _targets(self, model: "PreTrainedModel", anatomy: "Anatomy", saved: Names) -> Names:
        return super()._targets(model, anatomy, saved) if self._targeted else ()

    def _fits_prompts(self, model: "PreTrainedModel") -> None:
        """Refuse prompts for a head that finds the last token by its id, which they remove."""
        reads_last = "past_key_values" in inspect.signature(model.forward).parameters
        if reads_last and self.peft_type != "PREFIX_TUNING":
            raise ModelError(
                f"peft: {self.peft_type} does not fit {type(model).__name__}, which finds the last "
                "token by its id; use PREFIX_TUNING, or lora"
            )

    def _wrong(self, mistakes: Iterable[tuple[str, Any, str]]) -> ValidationError:
        """Make an error that names the keys, which pydantic would not know: (key, value, text)."""
        details = [
            InitErrorDetails(
                type=PydanticCustomError("peft_field", "{message}", {"message": text}),
                loc=(key,),
                input=value,
            )
            for key, value, text in mistakes
        ]
        return ValidationError.from_exception_data("peft", details)
