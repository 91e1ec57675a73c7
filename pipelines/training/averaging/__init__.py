"""Of which weights the result is a mean: of those along the way, at both of its ends, or of several
runs. Nothing is added to the model: what comes out is as large and as fast as before.

    ema.py       along the way
    wise_ft.py   between the probe that training started from and what it came to
    soup.py      over seeds or rates
"""

from itertools import product
from typing import Any

from pydantic import Field, model_validator

from pipelines.core.section import Section


class Soup(Section):
    """Runs that differ in these, each from the same start; those that help validation are mixed."""

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
        """What each run has of its own."""
        said = {name: values for name, values in dict(self).items() if values}
        return [dict(zip(said, values, strict=True)) for values in product(*said.values())]


class Averaging(Section):
    """Means of weights."""

    ema: float | None = Field(
        None, gt=0, lt=1, description="decay of a running mean over steps: 0.99 to 0.9999"
    )
    wise_ft: bool = Field(
        False, description="between probe and fine-tuned weights; validation chooses where"
    )
    soup: Soup | None = Field(None, description="of several runs, such as {seed: [1, 2, 3]}")
