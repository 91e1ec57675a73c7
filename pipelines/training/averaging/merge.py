"""The recipe's `averaging.merge`: fine-tuned checkpoints of one base, merged before training."""

from typing import Any, Literal

from pydantic import Field, model_validator

from pipelines.core.section import Section

DENSITIES = {"ties": 0.2, "dare": 0.1}  # of the papers; the other methods take every change
# where validation does not choose: as section 5 of arXiv 2306.01708 has it
SCALES = {"mean": 1.0, "task_arithmetic": 0.4, "ties": 1.0, "dare": 0.4}


class TunedCheckpoint(Section):
    """A checkpoint that was fine-tuned from the recipe's; a bare string is its id or folder."""

    checkpoint: str = Field(description="a Hub id or a folder")
    revision: str = Field("main", description="branch, tag or commit; the lock records the commit")

    @model_validator(mode="before")
    @classmethod
    def _expanded(cls, value: Any) -> Any:
        return {"checkpoint": value} if isinstance(value, str) else value


class Merge(Section):
    """Which checkpoints are merged into `model.checkpoint`, from which they were fine-tuned."""

    checkpoints: tuple[TunedCheckpoint, ...] = Field(
        description="ids or folders, two or more, each fine-tuned from `model.checkpoint`"
    )
    method: Literal["mean", "task_arithmetic", "ties", "dare"] = Field(
        "mean", description="how what fine-tuning changed becomes one change"
    )
    scale: float | None = Field(
        None,
        gt=0,
        description="factor of the merged change; null: 1 (mean, ties), else 0.4",
    )
    density: float | None = Field(
        None,
        gt=0,
        le=1,
        description="share of each change that counts; null: 0.2 (ties: the largest), 0.1 (dare: "
        "drawn at random)",
    )

    @model_validator(mode="after")
    def _sensible(self) -> "Merge":
        if len(self.checkpoints) < 2:
            raise ValueError(
                "checkpoints: expected two or more; to go on from one, name it in model.checkpoint"
            )
        names = [tuned.checkpoint for tuned in self.checkpoints]
        repeated = next((name for name in names if names.count(name) > 1), None)
        if repeated:
            raise ValueError(f"checkpoints: {repeated!r} stands there twice; remove one")
        if self.density is not None and self.method not in DENSITIES:
            raise ValueError(
                f"density: method '{self.method}' takes every change; use ties or dare, or leave "
                "density out"
            )
        return self

    @property
    def scale_of_change(self) -> float:
        """The factor of the merged change."""
        return SCALES[self.method] if self.scale is None else self.scale

    @property
    def density_of_changes(self) -> float:
        """The share of each checkpoint's changes that counts."""
        return DENSITIES.get(self.method, 1.0) if self.density is None else self.density
