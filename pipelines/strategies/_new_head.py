"""Layers that the checkpoint did not hold learn faster than those that it did."""

from math import log
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from pipelines.core.console import say
from pipelines.strategies import Resolution, Strategy

if TYPE_CHECKING:
    from pipelines.models.anatomy import Anatomy
    from pipelines.strategies.choosing.context import AutoContext
    from pipelines.training.job import Job
    from pipelines.training.setup import Setup

# A step of Adam moves each weight by the rate, and so a logit by the rate times the magnitudes in
# the vector that is read. BERT's pooler gives about 400, and MiniLM's 20: at one rate for all its
# head learns so slowly that `full` was below a bag of words on 77 classes. With 8 questions of each
# it had 63.9 % at 8e-5, 73.5 at ten times that, 81.5 at 62 times and 81.9 at 125; with 8 sentences
# of SST-2 63.3, 62.4 and 60.9 at 1, 62 and 125 times (benchmarks/README.md).
LOGIT_STEP = 0.1
MAX_RATE = 5e-3  # vectors that are tiny at first would ask for more, and then grow
RATIOS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)  # coarse, so that last digits decide nothing
USUAL_RATIO = 10.0  # where the size of the vectors is not known


class NewHead(Strategy):
    """Base of strategies whose new layers start at random, beside weights that hardly move."""

    head_lr_ratio: Literal["auto"] | Annotated[float, Field(gt=0)] = Field(
        "auto",
        description="how much faster layers learn that the checkpoint did not hold; auto: so much "
        f"that a step moves a logit by about {LOGIT_STEP:g}, up to a rate of {MAX_RATE:g}",
    )

    def resolve(self, context: "AutoContext") -> Resolution:
        """Replace `head_lr_ratio: auto` by a number."""
        if self.head_lr_ratio != "auto":
            return Resolution({"strategy": self})
        usual = self.training_defaults(context.task.modality, context.anatomy)
        rate = float(context.training.get("learning_rate", usual["learning_rate"]))
        return Resolution({"strategy": self.replace(head_lr_ratio=_ratio(context, rate))})

    def lr_multiplier(self, parameter: str, anatomy: "Anatomy") -> float:
        """Return `head_lr_ratio` for a parameter that the checkpoint did not hold."""
        assert self.head_lr_ratio != "auto"
        return self.head_lr_ratio if anatomy.is_new(parameter) else 1.0

    def setup(self, job: "Job") -> "Setup":
        """Print the rate of new layers, where it is another one."""
        if self.head_lr_ratio != 1 and job.checkpoint.newly_initialized:
            assert self.head_lr_ratio != "auto"
            rate = self.head_lr_ratio * job.arguments.learning_rate
            say(
                f"new layers learn {self.head_lr_ratio:g} times as fast: {rate:g} "
                "(strategy.head_lr_ratio)"
            )
        return super().setup(job)


def _ratio(context: "AutoContext", rate: float) -> float:
    """Return how much faster than `rate` new layers should learn."""
    if not context.anatomy.new or not rate:
        return 1.0
    size, largest = context.head_input_size, max(1.0, MAX_RATE / rate)
    suitable = LOGIT_STEP / size / rate if size else USUAL_RATIO
    allowed = (ratio for ratio in RATIOS if ratio <= largest)
    return min(allowed, key=lambda ratio: abs(log(ratio / suitable)))  # the nearest
