"""Any other method of peft, by its own name and fields: {name: peft, peft_type: OFT, …}."""

import inspect
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, ValidationError, model_validator
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
OF_THEIR_OWN = (*PROMPTS, "TRAINABLE_TOKENS")  # what they adapt is not for us to say
REFUSED = {
    "ADALORA": "moves its budget at every step, by a training loop of its own; use lora",
    "ADAPTION_PROMPT": "knows two families of language models only",
    "CARTRIDGE": "distils a text into a cache of keys and values, and learns no task",
    "CPT": "is for single prompts of language models",
    "MULTITASK_PROMPT_TUNING": "needs the id of a task with every example",
    "POLY": "needs the id of a task with every example",
    "SHADOW": "is for language models, and keeps a second model beside the first",
    "XLORA": "mixes adapters that have been trained before",
}


class Peft(Adapter):
    """The fields are those of peft's configuration class for `peft_type`, whatever they are in the
    installed version. Methods that cannot be merged, such as prompt tuning, need `save: adapter`.
    """

    model_config = ConfigDict(extra="allow")

    peft_type: str

    @model_validator(mode="after")
    def _known(self) -> "Peft":
        try:
            known = methods.of(self.peft_type)
        except RecipeError as error:
            raise self._wrong([("peft_type", self.peft_type, str(error))]) from None
        if self.peft_type in REFUSED:
            told = f"{self.peft_type} {REFUSED[self.peft_type]}"
            raise self._wrong([("peft_type", self.peft_type, told)])
        extra = self.model_extra or {}
        unknown = [
            (key, value, f"no such field of {self.peft_type}; {suggest(key, known, most=60)}")
            for key, value in extra.items()
            if key not in known
        ]
        if unknown:
            raise self._wrong(unknown)
        if self.peft_type in PROMPTS and self.save == "merged":
            told = f"{self.peft_type} puts tokens before the input, which no weights can hold"
            raise self._wrong([("save", self.save, f"{told}; use adapter")])
        return self

    def incompatibility(self, task: "Task") -> str | None:
        """Prompts go with an answer for the whole text only, and take a share of its length."""
        if self.peft_type not in PROMPTS:
            return None
        if task.name != "text_classification":
            return f"{self.peft_type} fits text_classification only: prompts shift all other tokens"
        if getattr(task, "max_length", None) is None:
            return f"{self.peft_type} takes some of the model's positions: set task.max_length"
        return None

    def auto(self, model: "PreTrainedModel", anatomy: "Anatomy") -> Names:
        """The norms for LN_TUNING, else what low-rank updates fit on, too."""
        return anatomy.norms if self.peft_type == "LN_TUNING" else anatomy.adaptable

    def config(self, model: "PreTrainedModel", targets: Names, saved: Names) -> "PeftConfig":
        """The method's own configuration, with the modules that follow from the model's tree."""
        from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
        from peft.utils import PeftType

        known = methods.of(self.peft_type)
        said = dict(self.model_extra or {})
        if "modules_to_save" in known:
            said["modules_to_save"] = list(saved)
        elif saved:
            raise ModelError(
                f"peft: {self.peft_type} has no modules_to_save: {', '.join(saved)}, which is new, "
                "would not train; use lora"
            )
        if "target_modules" in known and self._targeted:
            said["target_modules"] = list(targets)
        if self.peft_type in PROMPTS:
            self._fits_prompts(model)
            said["task_type"] = "SEQ_CLS"
        return PEFT_TYPE_TO_CONFIG_MAPPING[PeftType(self.peft_type)](**said)

    @property
    def _targeted(self) -> bool:
        return self.target_modules != "auto" or self.peft_type not in OF_THEIR_OWN

    def _targets(self, model: "PreTrainedModel", anatomy: "Anatomy", saved: Names) -> Names:
        return super()._targets(model, anatomy, saved) if self._targeted else ()

    def _fits_prompts(self, model: "PreTrainedModel") -> None:
        """A head that reads the last token looks for it in the ids, which prompts take away."""
        reads_last = "past_key_values" in inspect.signature(model.forward).parameters
        if reads_last and self.peft_type != "PREFIX_TUNING":
            raise ModelError(
                f"peft: {self.peft_type} does not fit {type(model).__name__}, which finds the last "
                "token by its id; use PREFIX_TUNING, or lora"
            )

    def _wrong(self, told: Iterable[tuple[str, Any, str]]) -> ValidationError:
        """Mistakes with the keys that they are made at, which pydantic would not know."""
        details = [
            InitErrorDetails(
                type=PydanticCustomError("peft_field", "{told}", {"told": text}),
                loc=(key,),
                input=value,
            )
            for key, value, text in told
        ]
        return ValidationError.from_exception_data("peft", details)
