"""The sections of a recipe that have no folder of their own."""

from typing import Any

from pydantic import Field, model_validator

from pipelines.core.section import Section
from pipelines.models.quantization import Bits


class Model(Section):
    """Which pretrained checkpoint to graft."""

    checkpoint: str = Field(description="a Hub id or a folder")
    revision: str = Field("main", description="branch, tag or commit; the lock records the commit")
    trust_remote_code: bool = Field(False, description="only with `revision` a full commit hash")
    use_safetensors: bool = Field(True, description="false also accepts pickled weights")
    attn_implementation: str | None = Field(None, description="eager, sdpa, flash_attention_2…")
    quantization: Bits | None = Field(
        None, description="keep the frozen weights in so many bits; for adapters"
    )
    config: dict[str, Any] = Field({}, description="fields of the checkpoint's config to change")

    @model_validator(mode="after")
    def _pinned(self) -> "Model":
        pinned = len(self.revision) == 40 and set(self.revision) <= set("0123456789abcdef")
        if self.trust_remote_code and not pinned:
            raise ValueError(
                "trust_remote_code needs `revision` to be a full commit hash (40 digits)"
            )
        return self


class EarlyStopping(Section):
    """Stop when the validation metric has not improved."""

    patience: int = Field(3, ge=1, description="evaluations without improvement")
    threshold: float = Field(0.0, ge=0, description="what counts as an improvement")


class Hub(Section):
    """Where to push the result."""

    repo_id: str | None = Field(None, description="owner/name")
    private: bool = Field(True, description="visibility of a repository that the push creates")
    push: bool = Field(False, description="push when the run is done")

    @model_validator(mode="after")
    def _named(self) -> "Hub":
        if self.push and not self.repo_id:
            raise ValueError("push: true needs repo_id: owner/name")
        return self
