"""Means of weights: the result is as large and as fast as a model that was not averaged.

ema.py       over the steps of a run
wise_ft.py   between the probe that training started from and the fine-tuned weights
soup.py      over runs that differ in seed or learning rate
ingredient.py  one of these runs: what is saved of it, and where it goes on
merge.py     of fine-tuned checkpoints, before training: the section
merging.py   its checkpoints -> the model that training starts from
task_vectors.py   what they changed of their base -> one change
"""

from itertools import product
from typing import Any

from pydantic import Field, model_validator

from pipelines.core.section import Section
from pipelines.training.averaging.merge import Merge


class Soup(Section):
    """Settings that runs from the same start differ in; those that help validation are mixed."""

    seed: tuple[int, ...] = Field((), description="one run for each")
    learning_rate: tuple[float, ...] = Field((), description="one run for each, of every seed")

    @model_validator(mode="after")
    def _several(self) -> "Soup":
        if len(self.ingredients) < 2:
            raise ValueError(
                "a soup needs several seeds or learning rates, such as seed: [1, 2, 3]"
            )
        return self

    @property
    def ingredients(self) -> list[dict[str, Any]]:
        """The settings of each run: every combination."""
        settings = {name: values for name, values in dict(self).items() if values}
        return [dict(zip(settings, values, strict=True)) for values in product(*settings.values())]


class Averaging(Section):
    """Means of weights."""

    ema: float | None = Field(
        None, gt=0, lt=1, description="decay of a running mean over steps: 0.99 to 0.9999"
    )
    wise_ft: bool = Field(
        False, description="between probe and fine-tuned weights; validation chooses where"
    )
    soup: Soup | None = Field(None, description="of several runs, such as {seed: [1, 2, 3]}")
    merge: Merge | None = Field(
        None,
        description="of checkpoints fine-tuned from model.checkpoint, before training: "
        "{checkpoints: [a, b]}",
    )
