"""The recipe's `model:` section: which checkpoint to graft, and which stand beside it."""

import os
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from pipelines.core.hub_client import COMMIT_DIGITS, is_commit
from pipelines.core.section import Section
from pipelines.models.quantization import Bits


class Encoder(Section):
    """A pretrained checkpoint; a bare string is its id or folder."""

    checkpoint: str = Field(description="a Hub id or a folder")
    revision: str = Field("main", description="branch, tag or commit; the lock records the commit")
    trust_remote_code: bool = Field(
        False,
        description="run Python code that the checkpoint brings along; of the Hub only with "
        "`revision` a full commit hash",
    )
    use_safetensors: bool = Field(True, description="false also accepts pickled weights")
    attn_implementation: str | None = Field(None, description="eager, sdpa, flash_attention_2…")
    image_size: int | None = Field(
        None,
        ge=1,
        description="height and width that images are resized to; null: as the checkpoint's "
        "processor does. Where positions belong to a size, they are interpolated",
    )
    config: dict[str, Any] = Field({}, description="fields of the checkpoint's config to change")

    @model_validator(mode="before")
    @classmethod
    def _expanded(cls, value: Any) -> Any:
        return {"checkpoint": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _pinned(self) -> "Encoder":
        if os.path.isdir(self.checkpoint):  # whose files the lock records
            return self
        # code of a branch can change after it was read; a commit cannot
        if self.trust_remote_code and not is_commit(self.revision):
            raise ValueError(
                "trust_remote_code needs `revision` to be a full commit hash "
                f"({COMMIT_DIGITS} digits)"
            )
        return self


class Model(Encoder):
    """Which pretrained checkpoint to graft."""

    quantization: Bits | None = Field(
        None, description="keep the frozen weights in so many bits; for adapters"
    )
    head: Literal["auto", "keep", "new", "zero_shot"] = Field(
        "auto",
        description="the output layer of a checkpoint that classifies already. auto: its own, "
        "matched by name, if it has the same labels, else a new one; keep: also if the names "
        "differ by case or white space, refused otherwise; new: a new one; zero_shot: class names, "
        "as the text tower of CLIP or SigLIP reads them",
    )
    templates: tuple[str, ...] | None = Field(
        None,
        description="texts around a class name, at `{}`, for zero-shot classification with CLIP or "
        "SigLIP, several are averaged; null: `a photo of a {}.`; []: no zero-shot classification",
    )
    beside: tuple[Encoder, ...] = Field(
        (),
        description="more checkpoints, whose frozen features stand beside this one's; "
        "`model: [a, b]` is short for `model: {checkpoint: a, beside: [b]}`",
    )

    @field_validator("templates")
    @classmethod
    def _with_place(cls, templates: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for template in templates or ():
            if "{}" not in template:
                raise ValueError(
                    f"{template!r} has no place for the name of a class; expected '{{}}' in it, "
                    "as in 'a photo of a {}.'"
                )
        return templates

    @model_validator(mode="after")
    def _different(self) -> "Model":
        alone = self.alone
        repeated = next((each.checkpoint for each in self.beside if alone.count(each) > 1), None)
        if repeated:
            raise ValueError(f"beside: {repeated!r} stands there twice; remove one")
        return self

    @property
    def alone(self) -> tuple[Encoder, ...]:
        """Every checkpoint by itself, this one first."""
        fields = set(Encoder.model_fields)
        return (Encoder(**self.model_dump(include=fields, exclude_unset=True)), *self.beside)

    @classmethod
    def of(cls, encoder: Encoder) -> "Model":
        """Make the section that loads a checkpoint which stands beside another one."""
        return cls(**encoder.model_dump(exclude_unset=True))
